"""From transformed images to a served model, without TFX around it."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from components.common.model_info import read_model_info
from components.serving_check.check import check
from components.serving_check.probe import probe
from components.serving_check.verdict import Budgets
from tests.photos import encode, exif
from trainer.input_data import eval_batches, open_split
from trainer.settings import ModelSettings, TrainSettings, TransformSettings

CLASSES = ["null", "eins", "zwei"]
SIZE = 32
SCHEMA = """
feature { name: "image" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "class_name" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } }
          string_domain { value: "null" value: "eins" value: "zwei" } }
"""


def png(pixels: np.ndarray) -> bytes:
    return encode(Image.fromarray((pixels * 255 / 16).astype(np.uint8)), "PNG")


@pytest.fixture(scope="module")
def raw_images() -> list[tuple[bytes, int]]:
    """120 scanned digits as PNG, with their labels."""
    digits = load_digits(n_class=len(CLASSES))
    return [(png(scan), int(label)) for scan, label in zip(digits.images[:120], digits.target[:120], strict=True)]


@pytest.fixture(scope="module")
def job(tmp_path_factory, raw_images):
    """A training job on the digits, with a Transform graph made by TensorFlow Transform itself."""
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tensorflow_transform.tf_metadata import dataset_metadata

    from trainer.job import TrainingJob
    from trainer.preprocessing import preprocessing_fn

    folder = tmp_path_factory.mktemp("job")
    (folder / "schema.pbtxt").write_text(SCHEMA)
    metadata = dataset_metadata.DatasetMetadata(text_format.Parse(SCHEMA, schema_pb2.Schema()))
    choices = {"image_size": SIZE, **TransformSettings(resize="squash").model_dump()}
    rows = [
        {"image": [image], "label": [label], "class_name": [CLASSES[label].encode()]} for image, label in raw_images
    ]
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        transformed, transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, choices)
        )
        transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))
        metadata | tft_beam.WriteMetadata(str(folder / "transform" / "metadata"), pipeline=pipeline)
        data, transformed_metadata = transformed
        coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
        data | beam.Map(coder.encode) | beam.io.WriteToTFRecord(str(folder / "train"), file_name_suffix=".gz")
    return TrainingJob(
        train_files=[str(folder / "train*.gz")],
        val_files=[str(folder / "train*.gz")],
        schema_path=str(folder / "schema.pbtxt"),
        transform_graph_path=str(folder / "transform"),
        config={
            "model": ModelSettings(image_size=SIZE).model_dump(),
            "train": TrainSettings(epochs=2, batch_size=20).model_dump(),
            "transform": TransformSettings(resize="squash").model_dump(),
            "image_size": SIZE,
            "seed": 7,
        },
        model_dir=str(folder / "model"),
        log_dir=str(folder / "logs"),
    )


@pytest.fixture(scope="module")
def trained(job):
    """The exported model, trained in a process of its own."""
    from trainer.fit.process import call_in_fresh_process
    from trainer.train import train

    call_in_fresh_process(train, job)
    return tf.saved_model.load(job.model_dir)


@pytest.mark.tfx
def test_serving_sees_the_pixels_that_training_saw(job, trained, raw_images):
    split = open_split(job.train_files, SIZE, len(CLASSES))
    trained_on = next(iter(eval_batches(split, len(raw_images))))[0].numpy()
    served = trained.pixels(tf.constant([image for image, _ in raw_images])).numpy()
    np.testing.assert_array_equal(sorted(served, key=bytes), sorted(trained_on.astype(np.uint8), key=bytes))


@pytest.mark.tfx
def test_both_signatures_give_the_same_answer(trained, raw_images):
    images = [image for image, _ in raw_images[:8]]
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))}
            )
        ).SerializeToString()
        for image in images
    ]
    by_bytes = trained.signatures["serving_default"](image=tf.constant(images))
    by_example = trained.signatures["serving_examples"](examples=tf.constant(examples))
    np.testing.assert_allclose(by_bytes["probabilities"], by_example["probabilities"], atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(by_bytes["probabilities"], axis=1), np.ones(8), rtol=1e-5)
    assert set(by_bytes["class_name"].numpy()) <= {name.encode() for name in CLASSES}


@pytest.mark.tfx
def test_the_export_tells_its_classes_and_rates(job, trained):
    info = read_model_info(job.model_dir)
    assert info["classes"] == CLASSES
    assert info["dropout_rate"] == 0.2  # the published rate of B0


@pytest.mark.tfx
def test_a_pushed_model_is_a_start_for_the_next_one(job, trained, raw_images):
    from trainer.efficientnet import build_efficientnet
    from trainer.weights import load_weights

    network = build_efficientnet("b0", len(CLASSES), image_size=SIZE)
    loaded = load_weights(network, job.model_dir)
    images = tf.constant([image for image, _ in raw_images[:4]])
    logits = network(tf.cast(trained.pixels(images), tf.float32), training=False)
    np.testing.assert_allclose(tf.nn.softmax(logits), trained.classify(images)["probabilities"], atol=1e-5)
    assert loaded.skipped is None
    with pytest.raises(ValueError, match="does not fit"):
        load_weights(build_efficientnet("b1", len(CLASSES), image_size=SIZE), job.model_dir)


@pytest.mark.tfx
def test_a_process_without_this_project_gives_the_trainers_answers(job, trained, raw_images):
    images = [image for image, _ in raw_images[:4]]
    report = check(job.model_dir, images, Budgets(), requests=3)
    assert report.problems == []
    assert report.measured.difference <= 1e-5
    assert len(report.measured.photos) == 4 and max(report.measured.photos.values()) < 2
    here = trained.signatures["serving_default"](image=tf.constant(images[:1]))["probabilities"]
    there = probe(job.model_dir, images[:1])["answers"]["probabilities"]
    np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.fixture(scope="module")
def proven(job, trained, raw_images, tmp_path_factory):
    """The exported model with the ONNX file of its push, and the proof."""
    from components.serving_check.engine_proof import prove_engine
    from components.serving_check.warmup import write_warmup
    from components.serving_engine.proof import write_proof

    model = tmp_path_factory.mktemp("proven") / "model"
    shutil.copytree(job.model_dir, model)
    records = tf.data.Dataset.from_tensor_slices([image for image, _ in raw_images])
    proof = prove_engine(str(model), records, 1e-5, 3, str(model))
    write_proof(str(model), proof)
    write_warmup(str(model), [raw_images[0][0]])
    return model, proof


@pytest.mark.tfx
def test_the_server_engines_give_the_saved_models_pixels_and_answers(trained, proven, raw_images):
    from components.serving_engine.engine import TensorFlowEngine, load_engine

    model, proof = proven
    assert (proof.problem, proof.images) == ("", len(raw_images))
    assert proof.difference <= 1e-5
    assert set(proof.latency_ms) == {"p50_batch_1", "p99_batch_1", "p50_batch_32", "p99_batch_32"}
    images = [image for image, _ in raw_images]
    wanted = trained.classify(tf.constant(images))["probabilities"].numpy()
    pixels = trained.pixels(tf.constant(images)).numpy()
    fast = load_engine(str(model), "auto", 10**6)
    slow = load_engine(str(model), "tensorflow", 10**6)
    assert (fast.name, fast.reason) == ("onnxruntime", "")
    assert isinstance(slow, TensorFlowEngine)
    for engine in (fast, slow):
        assert engine.classes == tuple(CLASSES)
        seen = np.stack([engine.pixels(image) for image in images])
        np.testing.assert_array_equal(seen, pixels)
        np.testing.assert_allclose(engine.probabilities(seen), wanted, atol=1e-5)


@pytest.mark.tfx
def test_a_model_that_cannot_be_converted_is_served_by_tensorflow_and_the_report_says_why(
    proven, raw_images, tmp_path, monkeypatch
):
    from components.serving_check import engine_proof
    from components.serving_engine.engine import load_engine
    from components.serving_engine.proof import ONNX_FILE, write_proof

    def refuse(*_):
        raise ValueError("no such operation\nin opset 17")

    model = tmp_path / "model"
    shutil.copytree(proven[0], model)
    (model / ONNX_FILE).unlink()
    monkeypatch.setattr(engine_proof, "convert", refuse)
    records = tf.data.Dataset.from_tensor_slices([image for image, _ in raw_images[:2]])
    proof = engine_proof.prove_engine(str(model), records, 1e-5, 3, str(model))
    assert "no such operation in opset 17" in proof.problem
    assert not (model / ONNX_FILE).exists()
    write_proof(str(model), proof)
    assert load_engine(str(model), "auto", 10**6).reason == proof.problem


@pytest.mark.tfx
def test_an_engine_that_answers_otherwise_is_not_kept(proven, raw_images, tmp_path):
    from components.serving_check.engine_proof import prove_engine

    records = tf.data.Dataset.from_tensor_slices([image for image, _ in raw_images[:40]])
    proof = prove_engine(str(proven[0]), records, 1e-12, 3, str(tmp_path))
    assert "more than serving.tolerance 1e-12" in proof.problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tfx
def test_tensorflow_serving_finds_warm_up_requests_that_the_model_answers(trained, proven):
    from tensorflow_serving.apis import prediction_log_pb2

    path = proven[0] / "assets.extra" / "tf_serving_warmup_requests"
    logs = [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    for log, size in zip(logs, (1, 8), strict=True):
        request = log.predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        answer = trained.signatures[request.model_spec.signature_name](**inputs)
        assert answer["probabilities"].shape == (size, len(CLASSES))


@pytest.mark.tfx
def test_a_phones_photo_gets_the_answer_of_the_upright_picture(trained):
    upright = Image.fromarray(load_sample_images().images[0])
    lying = encode(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif(6))
    images = tf.constant([lying, encode(upright, "PNG")])
    for seen in (trained.pixels(images), trained.signatures["serving_default"](image=images)["probabilities"]):
        np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.tfx
def test_a_model_whose_weights_were_spoilt_on_the_way_is_not_served(job, trained, raw_images, tmp_path):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(job.model_dir, spoilt)
    (weights,) = spoilt.glob("variables/variables.data*")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    weights.write_bytes(content)
    report = check(str(spoilt), [raw_images[0][0]], Budgets(), requests=3)
    assert not report.blessed
    assert len(report.problems) == 1 and "\n" not in report.problems[0]


def test_the_process_that_asks_the_model_finds_none_of_this_project():
    from components.serving_check.probe import site_packages

    rooms = ("trainer", "components", "pipeline", "data")
    look = f"""
import sys
from dataclasses import replace
from importlib.util import find_spec
sys.path += {site_packages()}
print([name for name in {rooms} if find_spec(name)], find_spec("tensorflow") is not None)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


@pytest.mark.tfx
def test_only_a_model_with_a_known_precision_says_what_it_knows(job, raw_images):
    import tensorflow_transform as tft

    from trainer.efficientnet import build_efficientnet
    from trainer.export import ServingModule
    from trainer.train import calibrate_on

    network = build_efficientnet("b0", len(CLASSES), image_size=SIZE)
    calibration = calibrate_on(open_split(job.val_files, SIZE, len(CLASSES)), network, 0.4)
    graph = tft.TFTransformOutput(job.transform_graph_path)
    images = tf.constant([image for image, _ in raw_images])
    plain = ServingModule(network, graph, CLASSES, TransformSettings())
    honest = ServingModule(network, graph, CLASSES, TransformSettings(), calibration)
    before, after = plain.classify(images), honest.classify(images)

    logits = network(tf.cast(plain.pixels(images), tf.float32), training=False)
    assert set(before) == {"probabilities", "class_id", "class_name"}
    np.testing.assert_allclose(before["probabilities"], tf.nn.softmax(logits), atol=1e-6)
    np.testing.assert_allclose(after["probabilities"], tf.nn.softmax(logits / calibration.temperature), atol=1e-6)
    lower, higher = np.sort(before["probabilities"].numpy(), axis=1)[:, -2:].T
    clear = higher - lower > 1e-3  # a network that has learned nothing is as good as undecided between some
    np.testing.assert_array_equal(before["class_id"].numpy()[clear], after["class_id"].numpy()[clear])
    known = after["known"].numpy()
    np.testing.assert_array_equal(known, after["probabilities"].numpy().max(axis=1) >= calibration.threshold)
    # The job's val images are these. The network has learned nothing, so its answers crowd at the threshold, where the
    # last bit of a probability decides.
    undecided = np.abs(after["probabilities"].numpy().max(axis=1) - calibration.threshold) < 1e-5
    assert abs(known.mean() - calibration.coverage) <= undecided.mean() + 1e-9
