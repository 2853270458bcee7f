"""TensorFlow Serving as a judge.

No Docker daemon can be expected where tests run: the container is a stand-in, a gRPC server in this process that loads
the mounted model with TensorFlow. InfraValidator, its requests and the gRPC protocol are the real ones.
"""

import json
import signal
from concurrent import futures
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.config.load import load_config

pytestmark = pytest.mark.tfx


class StandInContainer:
    """What `docker run tensorflow/serving` would be."""

    status = "running"

    def __init__(self, mounts, **_options):
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import get_model_status_pb2 as status
        from tensorflow_serving.apis import (
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        model = tf.saved_model.load(mounts[0]["Source"])
        self.asked = 0
        container = self

        class Models(model_service_pb2_grpc.ModelServiceServicer):
            def GetModelStatus(self, request, context):
                version = status.ModelVersionStatus(version=1, state=status.ModelVersionStatus.AVAILABLE)
                return status.GetModelStatusResponse(model_version_status=[version])

        class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
            def Predict(self, request, context):
                ((name, tensor),) = request.inputs.items()
                signature = model.signatures[request.model_spec.signature_name]
                answer = signature(**{name: tf.constant(tf.make_ndarray(tensor))})
                container.asked += 1
                outputs = {key: tf.make_tensor_proto(value) for key, value in answer.items()}
                return predict_pb2.PredictResponse(outputs=outputs)

        self.server = grpc.server(futures.ThreadPoolExecutor(1))
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), self.server)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), self.server)
        port = self.server.add_insecure_port("localhost:0")
        self.server.start()
        self.ports = {"8500/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]}

    def reload(self):
        """Nothing changes."""

    def logs(self):
        return "stand-in"

    def stop(self):
        self.server.stop(None)


@pytest.fixture
def artifacts(tmp_path):
    """A model that takes tf.Examples of positive numbers only, and examples for it."""
    import tensorflow as tf
    from tfx.types import standard_artifacts

    class Strict(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples):
            number = tf.io.parse_example(examples, {"number": tf.io.FixedLenFeature([], tf.int64)})["number"]
            with tf.control_dependencies([tf.debugging.assert_positive(number)]):
                return {"probabilities": tf.one_hot(number, 3)}

    module = Strict()
    signatures = {"serving_examples": module.serve}
    tf.saved_model.save(module, str(tmp_path / "model" / "Format-Serving"), signatures=signatures)
    model, examples = standard_artifacts.Model(), standard_artifacts.Examples()
    model.uri, examples.uri = str(tmp_path / "model"), str(tmp_path / "examples")
    examples.split_names = json.dumps(["eval"])
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")

    def write(number: int):
        (tmp_path / "examples" / "Split-eval").mkdir(parents=True)
        path = str(tmp_path / "examples" / "Split-eval" / "data_tfrecord-00000-of-00001.gz")
        feature = {"number": tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))}
        with tf.io.TFRecordWriter(path, options="GZIP") as writer:
            for _ in range(5):
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
        return model, examples

    return write


def validate(model, examples, home: Path):
    """Run InfraValidator as the pipeline wires it; returns its blessing."""
    from tfx.components.infra_validator.executor import Executor
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.types import Channel, standard_artifacts

    from pipeline.steps.infra_validation import make_infra_validator

    settings = load_config(overrides=["serving.infra_validator=docker"]).serving
    node = make_infra_validator(
        settings, Channel(type=standard_artifacts.Model), Channel(type=standard_artifacts.Examples)
    )
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(home / "blessing")
    context = BaseExecutor.Context(tmp_dir=str(home / "tmp"), unique_id="1")
    Executor(context).Do({"model": [model], "examples": [examples]}, {"blessing": [blessing]}, node.exec_properties)
    return blessing


@pytest.fixture(autouse=True)
def own_sigterm_handler():
    """Take InfraValidator's handler away again: it restores the one before only if that was not the default."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def docker(monkeypatch):
    """Let Docker start stand-ins; returns those that it started."""
    from tfx.components.infra_validator.model_server_runners import local_docker_runner

    started: list[StandInContainer] = []

    def start(**options):
        started.append(StandInContainer(**options))
        return started[-1]

    client = SimpleNamespace(containers=SimpleNamespace(run=start), close=lambda: None)
    monkeypatch.setattr(local_docker_runner, "_make_docker_client", lambda _config: client)
    return started


def test_a_model_that_answers_to_the_server_is_blessed(artifacts, docker, tmp_path):
    from components.serving_check.executor import is_blessed

    assert is_blessed(validate(*artifacts(2), tmp_path).uri)
    assert docker[0].asked == 3


def test_a_model_that_fails_in_the_server_is_not(artifacts, docker, tmp_path):
    from components.serving_check.executor import is_blessed

    assert not is_blessed(validate(*artifacts(0), tmp_path).uri)


def test_without_a_server_nothing_is_blessed(artifacts, tmp_path, monkeypatch):
    from components.serving_check.executor import is_blessed

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert not is_blessed(validate(*artifacts(2), tmp_path).uri)


def test_the_push_waits_for_the_server_where_it_is_asked_for():
    from pipeline import dag

    config = load_config(overrides=["serving.infra_validator=docker", "export.formats=[onnx]"])
    steps = {component.id: component for component in dag.create_pipeline(config).components}
    assert steps["InfraValidator"] in steps["ServingCheck"].upstream_nodes
    assert steps["ServingCheck"] in steps["Pusher"].upstream_nodes
    assert "local_docker" in steps["InfraValidator"].exec_properties["serving_spec"]
    assert steps["Pusher"] in steps["ModelExporter"].upstream_nodes
    assert "InfraValidator" not in {component.id for component in dag.create_pipeline(load_config()).components}
