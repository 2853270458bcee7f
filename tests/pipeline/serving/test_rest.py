"""The REST interface answers as TensorFlow Serving does, see its documentation of the REST API and its sources."""

import numpy as np
import pytest

from tests.onnx_model import image
from tests.pipeline.serving.conftest import PREDICT, b64


def test_rows_and_columns_in_every_spelling(colours):
    red, blue = b64(image("red")), b64(image("blue"))
    rows = [
        {"instances": [red, blue]},
        {"instances": [{"image": red}, {"image": blue}]},
        {"signature_name": "serving_default", "instances": [red, blue]},
    ]
    for body in rows:
        status, answer = colours.send(PREDICT, body)
        assert status == 200
        assert [row["class_name"] for row in answer["predictions"]] == ["red", "blue"]
        assert [row["class_id"] for row in answer["predictions"]] == [0, 2]
        assert sum(answer["predictions"][0]["probabilities"]) == pytest.approx(1, abs=1e-6)
    for body in ({"inputs": [red, blue]}, {"inputs": {"image": [red, blue]}}):
        status, answer = colours.send(PREDICT, body)
        assert status == 200
        assert answer["outputs"]["class_name"] == ["red", "blue"]
        assert [len(row) for row in answer["outputs"]["probabilities"]] == [3, 3]
    assert colours.send(PREDICT, {"inputs": red})[1]["outputs"]["class_id"] == [0]


def test_a_path_may_be_written_in_any_case(colours):
    assert colours.send("/V1/Models/colours:Predict", {"instances": [b64(image())]})[0] == 200


def test_serialised_examples(colours):
    from pipeline.serving.server.protos import example_pb2

    example = example_pb2.Example()
    example.features.feature["image"].bytes_list.value.append(image("green"))
    body = {"signature_name": "serving_examples", "instances": [b64(example.SerializeToString())]}
    assert colours.send(PREDICT, body)[1]["predictions"][0]["class_name"] == "green"


def test_versions_and_labels(colours):
    body = {"instances": [b64(image("green"))]}
    for path in ("versions/122", "labels/german"):
        assert colours.send(f"/v1/models/colours/{path}:predict", body)[1]["predictions"][0]["class_name"] == "grün"
    assert colours.send("/v1/models/colours/versions/123:predict", body)[1]["predictions"][0]["class_name"] == "green"


def test_classify_answers_labels_and_scores(colours):
    status, answer = colours.send("/v1/models/colours:classify", {"examples": [{"image": b64(image("blue"))}]})
    assert status == 200
    assert [label for label, _ in answer["results"][0]] == ["red", "green", "blue"]
    assert max(answer["results"][0], key=lambda pair: pair[1])[0] == "blue"


def test_floats_are_the_shortest_that_survive(colours):
    row = colours.send(PREDICT, {"instances": [b64(image("orange"))]})[1]["predictions"][0]["probabilities"]
    assert [float(str(np.float32(probability))) for probability in row] == row


def test_status_and_metadata(colours):
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert colours.send("/v1/models/colours") == (
        200,
        {"model_version_status": [{"version": "123", **available}, {"version": "122", **available}]},
    )
    assert colours.send("/v1/models/colours/versions/122")[1] == {
        "model_version_status": [{"version": "122", **available}]
    }
    status, answer = colours.send("/v1/models/colours/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "colours", "signature_name": "", "version": "123"}
    definitions = answer["metadata"]["signature_def"]["signature_def"]
    assert set(definitions) == {"serving_default", "serving_examples"}
    assert definitions["serving_default"]["inputs"]["image"] == {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_image:0",
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v2/models/colours/infer", {}, 400, "Malformed request: POST /v2/models/colours/infer"),
        ("/v1/models/colours:explain", {}, 400, "Malformed request"),
        ("/v1/models", None, 400, "Missing model name in request."),
        ("/v1/models/none:predict", {"instances": ["x"]}, 404, "Servable not found for request: Latest(none)"),
        (
            "/v1/models/colours/versions/7:predict",
            {"instances": ["x"]},
            404,
            "Servable not found for request: Specific(colours, 7)",
        ),
        (f"/v1/models/colours/versions/{'9' * 5000}:predict", {"instances": ["x"]}, 400, "expected a whole number"),
        (f"/v1/models/colours/versions/{2**63}", None, 400, "expected a whole number"),
        ("/v1/models/colours/versions/%D9%A1", None, 400, "Malformed request"),
        ("/v1/models/colours%0A/x", None, 400, "Malformed request: GET /v1/models/colours"),
        ("/v1/models/colours:predict%0A", {}, 400, "Malformed request"),
        ("/v1/models/none", None, 404, "Could not find any versions of model none"),
        ("/v1/models/colours/versions/7", None, 404, "Could not find version 7 of model colours"),
        ("/v1/models/colours/labels/no:predict", {"instances": ["x"]}, 404, "label"),
        (PREDICT, b"", 400, "JSON Parse error: The document is empty"),
        (PREDICT, b"{", 400, "JSON Parse error"),
        (PREDICT, b"[]", 400, "object"),
        (PREDICT, {}, 400, "Missing 'inputs' or 'instances' key"),
        (PREDICT, {"inputs": [], "instances": []}, 400, "expecting only one of"),
        (PREDICT, {"instances": []}, 400, "No values in 'instances' array"),
        (PREDICT, {"instances": 3}, 400, "list"),
        (PREDICT, {"instances": [{"b64": "%"}]}, 400, "Unable to base64 decode"),
        (PREDICT, {"instances": [3]}, 400, "is not of expected type: string"),
        (PREDICT, {"instances": [{"picture": "x"}]}, 400, "picture"),
        (PREDICT, {"signature_name": "x", "instances": ["x"]}, 400, 'Serving signature name: "x" not found'),
        (PREDICT, {"signature_name": 5, "instances": ["x"]}, 400, "signature_name"),
        (PREDICT, {"instances": ["no image"]}, 400, "not_an_image"),
        (PREDICT, {"inputs": []}, 400, "No values"),
        ("/v1/models/colours:classify", {"examples": []}, 400, "examples"),
        ("/v1/models/colours:classify", {"examples": [{}]}, 400, "image"),
        ("/v1/models/colours:regress", {"examples": [{}]}, 400, "regression"),
    ],
)
def test_errors_in_tensorflow_servings_words(colours, path, body, status, message):
    got, answer = colours.send(path, body)
    assert (got, set(answer)) == (status, {"error"})
    assert message in answer["error"]


def test_images_that_only_the_ingest_reads_and_a_turned_photo(colours):
    for data in (image("green", "WEBP", lossless=True), image("green", "TIFF"), image("green", "BMP")):
        assert colours.send(PREDICT, {"instances": [b64(data)]})[1]["predictions"][0]["class_name"] == "green"


def test_probes_and_metrics(colours):
    assert colours.send("/healthz") == (200, "ok\n")
    assert colours.send("/readyz") == (200, "ready\n")
    colours.send(PREDICT, {"instances": [b64(image())]})
    colours.send("/v1/models/nobody:predict", {"instances": ["x"]})
    status, text = colours.send("/monitoring/prometheus/metrics")
    assert status == 200
    assert ':tensorflow:serving:request_count{model_name="colours",status="OK"}' in text
    assert ':tensorflow:serving:request_latency_bucket{le="10.0",model_name="colours"}' in text
    assert 'effnet_served_version{model_name="colours"} 123.0' in text
    assert "nobody" not in text
