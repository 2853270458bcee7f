"""TensorFlow Serving's gRPC services: PredictionService and ModelService."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
import numpy as np

from pipeline.serving.server.errors import INTERNAL_ERROR, ServingError, invalid
from pipeline.serving.server.inference import Answer, Registry
from pipeline.serving.server.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    tensor_pb2,
    types_pb2,
)
from pipeline.serving.server.security import allowed
from pipeline.serving.server.signatures import Signatures, feature_image, images_of
from pipeline.serving.server.versions import ServedModel, Version

SIGNATURE_DEF = "signature_def"
log = logging.getLogger("effnet.serve")
Context = Any  # grpc.aio.ServicerContext; the stubs have no types


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Predict, Classify and GetModelMetadata; Regress and MultiInference are not for these models."""

    def __init__(self, registry: Registry):
        self._registry = registry

    async def Predict(self, request: Any, context: Context) -> Any:
        """Answers tensors of images or serialised tf.Examples."""

        async def answer() -> Any:
            answered = await self._ask(request.model_spec, lambda found: _predict_images(request, found))
            response = predict_pb2.PredictResponse()
            _fill_spec(response.model_spec, answered)
            for name in _filtered(request.output_filter, answered.outputs):
                response.outputs[name].CopyFrom(_tensor(answered.outputs[name]))
            return response

        return await self._counted(request.model_spec.name, answer, context)

    async def Classify(self, request: Any, context: Context) -> Any:
        """Answers tf.Examples with the score of each class."""

        async def answer() -> Any:
            answered = await self._ask(request.model_spec, lambda _: _classify_images(request.input))
            response = classification_pb2.ClassificationResponse()
            _fill_spec(response.model_spec, answered)
            for row in answered.outputs["probabilities"]:
                result = response.result.classifications.add()
                for label, score in zip(answered.classes, row, strict=True):
                    result.classes.add(label=label, score=score)
            return response

        return await self._counted(request.model_spec.name, answer, context)

    async def Regress(self, request: Any, context: Context) -> Any:
        """Refused: the models classify."""

        async def answer() -> Any:
            raise invalid("Expected regression signature: this model classifies")

        return await self._counted(request.model_spec.name, answer, context)

    async def GetModelMetadata(self, request: Any, context: Context) -> Any:
        """Answers the signatures."""

        async def answer() -> Any:
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            if unknown := [field for field in request.metadata_field if field != SIGNATURE_DEF]:
                raise invalid(f"Metadata field {unknown[0]} is not supported")
            model, version = _find(self._registry, request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = model.name
            response.model_spec.version.value = version.number
            if version.signatures is not None:
                response.metadata[SIGNATURE_DEF].Pack(version.signatures.definitions)
            return response

        return await _or_abort(answer, context)

    async def _ask(self, spec: Any, read_images: Callable[[Signatures], Sequence[bytes]]) -> Answer:
        label, signature = spec.version_label, spec.signature_name
        return await self._registry.ask(spec.name, _number(spec), label, signature, read_images)

    async def _counted(self, name: str, answer: Callable[[], Awaitable[Any]], context: Context) -> Any:
        async def counted() -> Any:
            with self._registry.counted(name):
                return await answer()

        return await _or_abort(counted, context)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """GetModelStatus; what is served follows the folder, not a request."""

    def __init__(self, registry: Registry):
        self._registry = registry

    async def GetModelStatus(self, request: Any, context: Context) -> Any:
        """Answers the state of each version."""

        async def answer() -> Any:
            spec = request.model_spec
            response = get_model_status_pb2.GetModelStatusResponse()
            for version in self._registry.versions(spec.name, _number(spec), spec.version_label):
                status = response.model_version_status.add(version=version.number)
                status.state = get_model_status_pb2.ModelVersionStatus.State.Value(version.state)
                if version.error:
                    status.status.error_code, status.status.error_message = 2, version.error  # UNKNOWN
            return response

        return await _or_abort(answer, context)


class RequireToken(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without the server's token."""

    def __init__(self, token: str):
        self._token = token

        async def refuse(_request: Any, context: Context) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "expected metadata authorization: Bearer TOKEN")

        self._refuse = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """See grpc.aio."""
        given = dict(details.invocation_metadata).get("authorization", "")
        return await continuation(details) if allowed(given, self._token) else self._refuse


def _find(registry: Registry, spec: Any) -> tuple[ServedModel, Version]:
    return registry.find(spec.name, _number(spec), spec.version_label)


def _number(spec: Any) -> int | None:
    return spec.version.value if spec.HasField("version") else None


async def _or_abort(answer: Callable[[], Awaitable[Any]], context: Context) -> Any:
    """Ends the call with an error's code."""
    try:
        return await answer()
    except ServingError as error:
        await context.abort(grpc.StatusCode[error.code], str(error))
    except Exception:  # the outermost frame of a call: the client learns no more than that
        log.exception("a gRPC call failed")
        await context.abort(grpc.StatusCode.INTERNAL, INTERNAL_ERROR)


def _predict_images(request: Any, signatures: Signatures) -> list[bytes]:
    """Returns the images in the one input of a predict request.

    Raises:
        ServingError: if it is another one, or no vector of strings.
    """
    wanted = signatures.input_of(request.model_spec.signature_name)
    if set(request.inputs) != {wanted}:
        got = ", ".join(sorted(request.inputs)) or "nothing"
        raise invalid(f"input size does not match signature: got {got}, expected {wanted}")
    tensor = request.inputs[wanted]
    if tensor.dtype != types_pb2.DT_STRING:
        raise invalid(f"input {wanted} must be a tensor of strings, got {types_pb2.DataType.Name(tensor.dtype)}")
    values = list(tensor.string_val)
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if len(shape) > 1 or (shape and shape[0] != len(values)) or not values:
        raise invalid(f"input {wanted} must be a vector of at least one string, got the shape {shape}")
    return images_of(values, wanted)


def _classify_images(message: Any) -> list[bytes]:
    """Returns the image of each example of a classify request.

    Raises:
        ServingError: if there is none.
    """
    kind = message.WhichOneof("kind")
    examples: Sequence[Any] = getattr(message, kind).examples if kind else ()
    if not examples:
        raise invalid("Input is empty.")
    images = []
    for example in examples:
        if kind == "example_list_with_context":
            merged = type(example)()
            merged.CopyFrom(message.example_list_with_context.context)
            merged.MergeFrom(example)
            example = merged
        images.append(feature_image(example))
    return images


def _filtered(output_filter: Sequence[str], outputs: Mapping[str, Any]) -> Sequence[str]:
    if unknown := [name for name in output_filter if name not in outputs]:
        names = ", ".join(outputs)
        raise invalid(f"output tensor alias not found in signature: {unknown[0]} Outputs expected to be in {names}")
    return output_filter or list(outputs)


def _fill_spec(spec: Any, answer: Answer) -> None:
    spec.name, spec.signature_name = answer.model, answer.signature or "serving_default"
    spec.version.value = answer.version


def _tensor(value: Any) -> Any:
    """A list of names, or an array of truth values or numbers, as TensorFlow Serving writes it by default."""
    if isinstance(value, list):
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[name.encode() for name in value])
        tensor.tensor_shape.dim.add(size=len(value))
        return tensor
    if value.dtype == np.bool_:
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_BOOL, bool_val=value.ravel().tolist())
    elif np.issubdtype(value.dtype, np.integer):
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=value.ravel().tolist())
    else:
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=value.ravel().tolist())
    for size in value.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor
