"""The server on what a run pushed: the SavedModel's answers, over both interfaces, by the fast engine."""

import base64
import io
import json
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
from PIL import Image

from components.served_model.versions import served_path
from components.serving_check.probe import probe
from components.serving_check.verdict import largest_difference
from tests.e2e.user_project import BIN

pytestmark = pytest.mark.tfx


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return probe_socket.getsockname()[1]


@pytest.fixture(scope="module")
def pushed(project, first_run) -> str:
    """The folder of the pushed versions."""
    return str(project.folder / "build" / "quickstart" / "served")


@pytest.fixture(scope="module", params=["onnxruntime", "tensorflow"])
def server(pushed, project, request):
    rest, rpc = free_port(), free_port()
    options = ["--model", f"digits={pushed}", "--engine", request.param, "--port", str(rest), "--grpc-port", str(rpc)]
    process = subprocess.Popen([str(BIN / "effnet"), "serve", *options], cwd=project.folder, stderr=subprocess.DEVNULL)
    url, until = f"http://127.0.0.1:{rest}", time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz").close()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
    yield url, rpc
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_both_interfaces_give_the_saved_models_answers(server, pushed, project):
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    url, rpc = server
    images = [next(project.images.glob(f"{digit}/scan*.png")).read_bytes() for digit in range(10)]
    wanted = probe(served_path(pushed), images)["answers"]
    body = json.dumps({"instances": [{"b64": base64.b64encode(image).decode()} for image in images]}).encode()
    with urllib.request.urlopen(f"{url}/v1/models/digits:predict", body) as response:
        rows = json.loads(response.read())["predictions"]
    assert [row["class_name"] for row in rows] == wanted["class_name"]
    assert largest_difference([row["probabilities"] for row in rows], wanted["probabilities"]) <= 1e-5
    import tensorflow as tf

    request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto(images)})
    request.model_spec.name = "digits"
    with grpc.insecure_channel(f"127.0.0.1:{rpc}") as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    seen = tf.make_ndarray(answer.outputs["probabilities"]).tolist()
    assert largest_difference(seen, wanted["probabilities"]) <= 1e-5


def test_metadata_is_that_of_the_saved_model(server):
    url, _ = server
    with urllib.request.urlopen(f"{url}/v1/models/digits/metadata") as response:
        definitions = json.loads(response.read())["metadata"]["signature_def"]["signature_def"]
    assert set(definitions) == {"serving_default", "serving_examples"}
    assert definitions["serving_default"]["method_name"] == "tensorflow/serving/predict"


def test_a_push_carries_what_servers_need(pushed):
    extra = Path(served_path(pushed)) / "assets.extra"
    assert {"model.onnx", "serving_engine.json", "tf_serving_warmup_requests"} <= {
        path.name for path in extra.iterdir()
    }


def test_the_page_gets_an_answer_and_a_picture_of_where_the_model_looked(server, project):
    url, _ = server
    data = next(project.images.glob("7/scan*.png")).read_bytes()
    with urllib.request.urlopen(f"{url}/ui/classify/digits", data) as response:
        answer = json.loads(response.read())
    assert answer["classes"] == [str(digit) for digit in range(10)]
    best = answer["probabilities"].index(max(answer["probabilities"]))
    explain = f"{url}/ui/explain/digits/versions/{answer['version']}?class={best}"
    with urllib.request.urlopen(explain, data, timeout=150) as response:
        kind, _, picture = json.loads(response.read())["picture"].partition(";base64,")
    assert kind.startswith("data:image/")
    with Image.open(io.BytesIO(base64.b64decode(picture))) as overlay:
        assert min(overlay.size) >= 32
        assert overlay.convert("HSV").getextrema()[1][1] > 0  # the digits are gray, the heat is not
