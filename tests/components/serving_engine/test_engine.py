"""Which engine answers for a pushed model, and when none may."""

import json

import numpy as np
import pytest

from components.serving_check.report import ServingReport, engine_verdict, read_report, write_report
from components.serving_engine.engine import EngineError, load_engine, warm_up
from components.serving_engine.proof import ONNX_FILE, EngineProof, failed, proven_onnx
from tests.onnx_model import COLOURS, image, write_version

MAX_PIXELS = 10_000


def test_a_proven_network_is_served_without_tensorflow(tmp_path):
    engine = load_engine(str(write_version(tmp_path, 1)), "auto", MAX_PIXELS)
    warm_up(engine)
    pixels = np.stack([engine.pixels(image(colour)) for colour in COLOURS])
    assert [engine.classes[number] for number in engine.probabilities(pixels).argmax(axis=1)] == list(COLOURS)


def test_a_network_that_was_not_proven_is_refused_with_the_reason(tmp_path):
    model = write_version(tmp_path, 1, problem="its answers differ")
    with pytest.raises(EngineError, match=r"its answers differ; use --engine tensorflow"):
        load_engine(str(model), "onnxruntime", MAX_PIXELS)


def test_a_file_that_is_not_the_proven_one_is_not_used(tmp_path):
    model = write_version(tmp_path, 1)
    path = model / ONNX_FILE
    path.write_bytes(path.read_bytes() + b"x")
    content, reason = proven_onnx(str(model))
    assert content is None
    assert "not the file that was proven" in reason


def test_a_model_of_another_program_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(EngineError, match="this project did not export it"):
        load_engine(str(tmp_path), "auto", MAX_PIXELS)


def test_the_report_keeps_the_proof_and_older_reports_have_none(tmp_path):
    proof = EngineProof("onnxruntime", 255, 2e-6, 1e-5, {"p50_batch_1": 1.5}, "ab", "")
    write_report(str(tmp_path), ServingReport(None, [], proof))
    assert read_report(str(tmp_path)).engine == proof
    assert "differs from the SavedModel by 2e-06 at most on 255 eval images" in engine_verdict(proof)
    assert "TensorFlow; onnxruntime is not used: no tf2onnx" in engine_verdict(failed("no tf2onnx", 1e-5))
    (tmp_path / "serving_check.json").write_text(json.dumps({"measured": None, "problems": []}))
    assert read_report(str(tmp_path)).engine is None
