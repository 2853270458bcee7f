"""The signatures of a SavedModel, as metadata and as what a request has to bring."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from components.serving_engine.engine import is_known
from pipeline.serving.server.errors import invalid
from pipeline.serving.server.protos import example_pb2, get_model_metadata_pb2, saved_model_pb2

DEFAULT_SIGNATURE = "serving_default"
IMAGES, EXAMPLES = "image", "examples"
# What each signature of this project's models takes.
INPUT_OF = {DEFAULT_SIGNATURE: IMAGES, "serving_examples": EXAMPLES}
SERVE_TAG = "serve"


@dataclass(frozen=True)
class Signatures:
    """The signatures of a version.

    Attributes:
        definitions: SignatureDefMap of TensorFlow Serving.
    """

    definitions: Any

    def input_of(self, signature: str) -> str:
        """Returns the one input of a signature; "" is the default one.

        Raises:
            ServingError: if there is no such signature.
        """
        name = signature or DEFAULT_SIGNATURE
        if name not in INPUT_OF or name not in self.definitions.signature_def:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return INPUT_OF[name]

    def as_json(self) -> dict[str, Any]:
        """As the REST interface shows it: every field, sizes as strings."""
        # protobuf 4, of the older stack, has another name for it; goes with Python 3.11.
        known = inspect.signature(json_format.MessageToDict).parameters
        every_field = "always_print_fields_with_no_presence"
        options: dict[str, Any] = {every_field if every_field in known else "including_default_value_fields": True}
        shown: dict[str, Any] = json_format.MessageToDict(self.definitions, preserving_proto_field_name=True, **options)
        return shown


def read_signatures(saved_model: str) -> Signatures:
    """Reads the signatures of a local SavedModel, without those that TensorFlow keeps for itself.

    Raises:
        ValueError: if there is no graph for serving in it.
    """
    message = saved_model_pb2.SavedModel.FromString((Path(saved_model) / "saved_model.pb").read_bytes())
    for graph in message.meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            definitions = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in graph.signature_def.items():
                if not name.startswith("__saved_model"):
                    definitions.signature_def[name].CopyFrom(definition)
            return Signatures(definitions)
    raise ValueError(f'{saved_model} has no graph with the tag "{SERVE_TAG}"')


def images_of(values: Sequence[bytes], input_name: str) -> list[bytes]:
    """Returns encoded images from what a signature takes: images, or serialised tf.Examples with a feature `image`.

    Raises:
        ServingError: if an Example is none, or has no image.
    """
    if input_name == IMAGES:
        return list(values)
    return [image_of_example(value) for value in values]


def image_of_example(serialized: bytes) -> bytes:
    """Returns the feature `image` of a serialised tf.Example.

    Raises:
        ServingError: if there is none.
    """
    try:
        example = example_pb2.Example.FromString(serialized)
    except Exception as error:  # protobuf's C and Python parsers raise errors of their own
        raise invalid("Could not parse example input") from error
    return feature_image(example)


def feature_image(example: Any) -> bytes:
    """Returns the one value of the feature `image`.

    Raises:
        ServingError: if there is not exactly one.
    """
    features = example.features.feature
    values: Sequence[bytes] = features[IMAGES].bytes_list.value if IMAGES in features else []
    if len(values) != 1:
        raise invalid(f"Feature: {IMAGES} (data type: string) is required but could not be found.")
    return bytes(values[0])


def outputs_of(
    probabilities: NDArray[np.float32], classes: Sequence[str], known_threshold: float | None
) -> Mapping[str, Any]:
    """Returns the outputs of both signatures, as trainer/export.py has them.

    Args:
        probabilities: (batch, classes).
        classes: names in label order.
        known_threshold: least probability of a known answer; None: the model does not say what it knows.

    Returns:
        `class_id`, int (batch,), `class_name`, a list, `probabilities`, and, with a threshold, `known`, bool (batch,).
    """
    class_id: Any = probabilities.argmax(axis=1)
    outputs = {
        "class_id": class_id,
        "class_name": [classes[number] for number in class_id.tolist()],
        "probabilities": probabilities,
    }
    if known_threshold is not None:
        outputs["known"] = is_known(probabilities, known_threshold)
    return outputs
