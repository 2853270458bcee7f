"""TFX's own client of TensorFlow Serving, the one that InfraValidator sends its requests with."""

import time

import pytest

from tests.onnx_model import image

pytestmark = pytest.mark.tfx


def test_infra_validators_client_finds_the_model_loaded_and_gets_answers(colours):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2
    from tfx.components.infra_validator import error_types
    from tfx.components.infra_validator.model_server_clients import tensorflow_serving_client

    client = tensorflow_serving_client.TensorFlowServingClient(f"127.0.0.1:{colours.server.grpc_port}", "colours")
    client.WaitUntilModelLoaded(time.time() + 10, polling_interval_sec=1)
    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto([image("green")])})
    request.model_spec.name = "colours"
    client.SendRequests([request])
    request.inputs["image"].CopyFrom(tf.make_tensor_proto([b"no image"]))
    with pytest.raises(error_types.ValidationFailed):
        client.SendRequests([request])
    other = tensorflow_serving_client.TensorFlowServingClient(f"127.0.0.1:{colours.server.grpc_port}", "none")
    with pytest.raises(error_types.DeadlineExceeded):
        other.WaitUntilModelLoaded(time.time() + 1, polling_interval_sec=1)


def test_answers_of_the_stubs_become_tensors(colours):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto([image("blue"), image("red")])})
    request.model_spec.name = "colours"
    with grpc.insecure_channel(f"127.0.0.1:{colours.server.grpc_port}") as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=10)
    outputs = {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
    assert outputs["class_name"].tolist() == [b"blue", b"red"]
    assert outputs["class_id"].dtype == "int64"
    assert outputs["probabilities"].shape == (2, 3)
