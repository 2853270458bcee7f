"""The bodies of TensorFlow Serving's REST interface, see its http_rest_api_util and json_tensor.cc."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.serving.server.errors import invalid
from pipeline.serving.server.protos import example_pb2
from pipeline.serving.server.signatures import Signatures, feature_image, images_of

B64 = "b64"
NUMBERS = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True)
class PredictBody:
    """A predict request.

    Attributes:
        signature: "" is the default one.
        values: of `instances` (row form) or `inputs` (columnar form), not decoded yet.
        by_row: which of the two.
    """

    signature: str
    values: Any
    by_row: bool

    def images(self, signatures: Signatures) -> list[bytes]:
        """Returns the encoded images in the one input of the signature.

        Raises:
            ServingError: if they are no strings, or do not name that input.
        """
        name = signatures.input_of(self.signature)
        if self.by_row:
            return images_of([_decode(_named(value, name), name) for value in self.values], name)
        values = _named(self.values, name)
        return images_of([_decode(one, name) for one in (values if isinstance(values, list) else [values])], name)


def parse(body: bytes) -> dict[str, Any]:
    """Reads the JSON object of a request.

    Raises:
        ServingError: if it is none.
    """
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(content, dict):
        raise invalid("JSON Value: expected an object as the document's root")
    if not isinstance(content.get("signature_name", ""), str):
        raise invalid("'signature_name' key must be a string value")
    return content


def parse_predict(body: bytes) -> PredictBody:
    """Reads a predict request.

    Raises:
        ServingError: if it is none.
    """
    content = parse(body)
    signature = content.get("signature_name", "")
    if "instances" in content and "inputs" in content:
        raise invalid("Not formatted correctly expecting only one of 'instances' or 'inputs' keys to exist")
    if "inputs" in content:
        return PredictBody(signature, content["inputs"], by_row=False)
    if "instances" not in content:
        raise invalid("Missing 'inputs' or 'instances' key")
    instances = content["instances"]
    if not isinstance(instances, list):
        raise invalid("Expecting 'instances' value to be list/array")
    if not instances:
        raise invalid("Process predict request: No values in 'instances' array.")
    return PredictBody(signature, instances, by_row=True)


def parse_examples(body: bytes) -> tuple[str, list[bytes]]:
    """Reads a classify request: its signature, and the image of each example.

    Raises:
        ServingError: if it is none.
    """
    content = parse(body)
    examples, context = content.get("examples"), content.get("context", {})
    if not isinstance(examples, list) or not examples:
        raise invalid("When method is classify or regress, key 'examples' is expected and should be a non-empty array")
    if not isinstance(context, dict) or not all(isinstance(example, dict) for example in examples):
        raise invalid("Example must be JSON object but got something else")
    images = []
    for example in examples:
        message = example_pb2.Example()
        for name, value in {**context, **example}.items():
            if name == "image":
                values = value if isinstance(value, list) and len(value) == 1 else [value]
                message.features.feature[name].bytes_list.value.append(_decode(values[0], name))
        images.append(feature_image(message))
    return content.get("signature_name", ""), images


def predictions(outputs: Mapping[str, Any], by_row: bool) -> bytes:
    """Writes the answer to a predict request: rows of objects, or an object of columns."""
    if not by_row:
        return orjson.dumps({"outputs": outputs}, option=NUMBERS)
    # Of a matrix each row stays an array, whose floats orjson writes in the shortest form that survives.
    columns = [value.tolist() if getattr(value, "ndim", 0) == 1 else value for value in outputs.values()]
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
    return orjson.dumps({"predictions": rows}, option=NUMBERS)


def classifications(outputs: Mapping[str, Any], classes: Sequence[str]) -> bytes:
    """Writes the answer to a classify request: for each example [label, score] pairs, in label order."""
    results = [[list(pair) for pair in zip(classes, row, strict=True)] for row in outputs["probabilities"]]
    return orjson.dumps({"results": results}, option=NUMBERS)


def error(message: str) -> bytes:
    """Writes an error."""
    return orjson.dumps({"error": message})


def _named(value: Any, input_name: str) -> Any:
    """Takes the one input out of {"image": ...}; {"b64": ...} is a value by itself, and so is all that is no object."""
    if not isinstance(value, dict) or set(value) == {B64}:
        return value
    if set(value) != {input_name}:
        got = ", ".join(sorted(value)) or "nothing"
        raise invalid(f"Failed to process element: got the inputs {got}, expected {input_name}")
    return value[input_name]


def _decode(value: Any, input_name: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and set(value) == {B64} and isinstance(value[B64], str):
        try:
            return base64.b64decode(value[B64], validate=True)
        except binascii.Error as failure:
            raise invalid("Unable to base64 decode") from failure
    raise invalid(f"JSON Value: {str(value)[:40]} for {input_name} is not of expected type: string")
