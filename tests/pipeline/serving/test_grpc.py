"""The gRPC interface, by the stubs of tensorflow-serving-api."""

from collections.abc import Iterator

import grpc
import pytest

from pipeline.serving.server.protos import (
    classification_pb2,
    example_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    tensor_pb2,
    types_pb2,
)
from tests.onnx_model import COLOURS, image, write_version
from tests.pipeline.serving.conftest import b64, running, settings_for


@pytest.fixture
def channel(colours) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{colours.server.grpc_port}") as channel:
        yield channel


@pytest.fixture
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def strings(values: list[bytes]) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=values)
    tensor.tensor_shape.dim.add(size=len(values))
    return tensor


def request_for(*colours_: str, name: str = "colours", **spec) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(inputs={"image": strings([image(colour) for colour in colours_])})
    request.model_spec.name = name
    if "version" in spec:
        request.model_spec.version.value = spec.pop("version")
    for field, value in spec.items():
        setattr(request.model_spec, field, value)
    return request


def example(colour: str) -> example_pb2.Example:
    message = example_pb2.Example()
    message.features.feature["image"].bytes_list.value.append(image(colour))
    return message


def test_predict_answers_every_output(predictions):
    answer = predictions.Predict(request_for("blue", "red"), timeout=10)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("colours", 123)
    assert answer.model_spec.signature_name == "serving_default"
    assert list(answer.outputs["class_name"].string_val) == [b"blue", b"red"]
    assert list(answer.outputs["class_id"].int64_val) == [2, 0]
    assert [dim.size for dim in answer.outputs["probabilities"].tensor_shape.dim] == [2, 3]
    assert sum(answer.outputs["probabilities"].float_val) == pytest.approx(2, abs=1e-5)


def test_versions_labels_examples_and_an_output_filter(predictions):
    for spec in ({"version": 122}, {"version_label": "german"}):
        answer = predictions.Predict(request_for("green", **spec), timeout=10)
        assert list(answer.outputs["class_name"].string_val) == ["grün".encode()]
    request = predict_pb2.PredictRequest(
        inputs={"examples": strings([example("green").SerializeToString()])}, output_filter=["class_name"]
    )
    request.model_spec.name, request.model_spec.signature_name = "colours", "serving_examples"
    answer = predictions.Predict(request, timeout=10)
    assert {name: list(tensor.string_val) for name, tensor in answer.outputs.items()} == {"class_name": [b"green"]}


@pytest.mark.parametrize("with_context", [False, True])
def test_classify(predictions, with_context):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "colours"
    if with_context:
        request.input.example_list_with_context.examples.append(example_pb2.Example())
        request.input.example_list_with_context.context.CopyFrom(example("blue"))
    else:
        request.input.example_list.examples.append(example("blue"))
    (result,) = predictions.Classify(request, timeout=10).result.classifications
    assert [one.label for one in result.classes] == list(COLOURS)
    assert max(result.classes, key=lambda one: one.score).label == "blue"


def test_metadata_and_status(predictions, channel):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "colours"
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert predictions.GetModelMetadata(request, timeout=10).metadata["signature_def"].Unpack(definitions)
    assert set(definitions.signature_def) == {"serving_default", "serving_examples"}
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "colours"
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    versions = models.GetModelStatus(status, timeout=10).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(one.version, one.state) for one in versions] == [(123, available), (122, available)]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (request_for("red", name="none"), "NOT_FOUND"),
        (request_for("red", version=7), "NOT_FOUND"),
        (request_for("red", signature_name="x"), "INVALID_ARGUMENT"),
        (request_for("red", signature_name="serving_examples"), "INVALID_ARGUMENT"),
        (request_for(), "INVALID_ARGUMENT"),
        (predict_pb2.PredictRequest(model_spec={"name": "colours"}), "INVALID_ARGUMENT"),
        (
            predict_pb2.PredictRequest(
                model_spec={"name": "colours"},
                inputs={"image": tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])},
            ),
            "INVALID_ARGUMENT",
        ),
        (
            predict_pb2.PredictRequest(model_spec={"name": "colours"}, inputs={"image": strings([b"no image"])}),
            "INVALID_ARGUMENT",
        ),
        (predict_pb2.PredictRequest(model_spec={"name": "colours"}, inputs={"image": strings([image()])},
                                    output_filter=["logits"]), "INVALID_ARGUMENT"),
    ],
)  # fmt: skip
def test_errors_have_tensorflow_servings_codes(predictions, request_, code):
    with pytest.raises(grpc.RpcError) as refused:
        predictions.Predict(request_, timeout=10)
    assert refused.value.code().name == code
    assert refused.value.details()


def test_a_model_that_says_what_it_knows_says_so_on_both_interfaces(tmp_path):
    write_version(tmp_path, 1, known=0.9)
    body = {"instances": [b64(image("red")), b64(image("gray"))]}
    with running(settings_for(tmp_path)) as server:
        rows = server.send("/v1/models/colours:predict", body)[1]["predictions"]
        assert [row["known"] for row in rows] == [True, False]
        columns = server.send("/v1/models/colours:predict", {"inputs": body["instances"]})[1]["outputs"]
        assert columns["known"] == [True, False]
        with grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answer = stub.Predict(request_for("red", "gray"), timeout=10)
            assert answer.outputs["known"].dtype == types_pb2.DT_BOOL
            assert list(answer.outputs["known"].bool_val) == [True, False]
            request = request_for("red")
            request.output_filter.append("known")
            assert list(stub.Predict(request, timeout=10).outputs) == ["known"]


def test_a_model_that_does_not_say_what_it_knows_has_no_such_output(predictions):
    assert set(predictions.Predict(request_for("red"), timeout=10).outputs) == {
        "class_id", "class_name", "probabilities",
    }  # fmt: skip
