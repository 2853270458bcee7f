"""A model in other formats, by the real converters: it answers as before, or it is not kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.model_exporter.agreement import Agreement
from components.model_exporter.report import read_report, write_report

SIZE, CLASSES = 16, 3


def test_agreement_adds_up_over_batches():
    model = np.array([[0.9, 0.1], [0.2, 0.8]])
    other = np.array([[0.6, 0.4], [0.7, 0.3]])
    both = Agreement().add(model, model, np.array([0, 1])).add(other, model, np.array([0, 1]))
    assert (both.images, both.same_class, both.right, both.model_right) == (4, 3, 3, 4)
    assert both.difference == pytest.approx(0.5)
    assert (both.accuracy, both.model_accuracy) == (0.75, 1.0)


@pytest.mark.parametrize(
    ("agreement", "told"),
    [
        (Agreement(), "no eval images"),
        (Agreement(100, 98, 95, 97, 0.2), "loses 0.0200 of accuracy, more than export.max_accuracy_drop 0.01"),
        (Agreement(100, 99, 99, 99, float("nan")), "NaN or infinity"),
        (Agreement(100, 99, 97, 97, 0.2), ""),
    ],
)
def test_what_is_not_good_enough_is_told(agreement, told):
    problem = agreement.find_problem(0.01)
    assert told in problem and bool(problem) == bool(told)


def test_not_a_number_stays_one_in_the_agreement():
    nan = np.full((1, 2), np.nan)
    agreement = Agreement().add(nan, np.ones((1, 2)) / 2, np.zeros(1)).add(np.eye(2), np.eye(2), np.arange(2))
    assert np.isnan(agreement.difference)


def save_model(folder: Path) -> None:
    """Write a SavedModel that tells red, green and blue images apart."""
    import tensorflow as tf

    class Colours(tf.Module):
        def __init__(self):
            super().__init__()
            kernel = np.random.default_rng(0).normal(0, 0.05, (3, 3, 3, CLASSES)).astype("float32")
            kernel[1, 1] += np.eye(3)
            self.kernel = tf.Variable(kernel)

        @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8, name="pixels")])
        def classify_pixels(self, pixels):
            features = tf.nn.relu(tf.nn.conv2d(tf.cast(pixels, tf.float32) / 64, self.kernel, 1, "SAME"))
            return tf.nn.softmax(tf.reduce_mean(features, [1, 2]))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def pixels(self, image):
            decoded = tf.map_fn(lambda one: tf.io.decode_png(one, 3), image, fn_output_signature=tf.uint8)
            return tf.ensure_shape(decoded, [None, SIZE, SIZE, 3])

    module = Colours()
    module.classify_pixels.get_concrete_function()
    module.pixels.get_concrete_function()
    tf.saved_model.save(module, str(folder))


def write_split(folder: Path, images: int) -> str:
    import tensorflow as tf

    rng = np.random.default_rng(images)
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options="GZIP") as writer:
        for number in range(images):
            pixels = rng.integers(0, 120, (SIZE, SIZE, 3)).astype(np.uint8)
            pixels[..., number % CLASSES] += 100
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[tf.io.encode_png(pixels).numpy()])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % CLASSES])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(folder)


def run_exporter(home: Path, pushed: bool, max_accuracy_drop: float = 0.01) -> Path:
    """Run the component's executor on a pushed model; returns the artifact's folder."""
    from tfx.types import standard_artifacts

    from components.common.artifacts import Exports
    from components.model_exporter.executor import Executor

    model, examples, exports = standard_artifacts.PushedModel(), standard_artifacts.Examples(), Exports()
    model.uri, examples.uri, exports.uri = str(home / "model"), str(home / "examples"), str(home / "exports")
    model.set_int_custom_property("pushed", int(pushed))
    examples.split_names = json.dumps(["train", "eval"])
    Executor().Do(
        {"pushed_model": [model], "examples": [examples]},
        {"exports": [exports]},
        {
            "formats": json.dumps(["litert_float16", "litert_int8", "onnx"]),
            "representative_images": 12,
            "max_accuracy_drop": max_accuracy_drop,
            "split": "eval",
        },
    )
    return home / "exports"


@pytest.mark.tfx
def test_every_format_agrees_with_the_model_on_all_eval_images(tmp_path):
    save_model(tmp_path / "model")
    write_split(tmp_path / "examples" / "Split-train", 20)
    write_split(tmp_path / "examples" / "Split-eval", 40)
    folder = run_exporter(tmp_path, pushed=True)
    exports = {export.format: export for export in read_report(str(folder))}
    assert set(exports) == {"litert_float16", "litert_int8", "onnx"}
    limits = {"litert_float16": 0.01, "litert_int8": 0.1, "onnx": 1e-5}
    for name, export in exports.items():
        assert export.problem == ""
        assert export.agreement.images == 40
        assert export.agreement.same_class == export.agreement.right == 40
        assert export.agreement.difference <= limits[name]
        assert (folder / export.file).stat().st_size == round(export.size_mb * 1e6)


@pytest.mark.tfx
def test_without_a_push_nothing_is_exported(tmp_path):
    folder = run_exporter(tmp_path, pushed=False)
    assert read_report(str(folder)) == []


def test_the_report_reads_as_it_was_written(tmp_path):
    from components.model_exporter.report import Export

    exports = [Export("onnx", "model.onnx", 1.5, 0.9, Agreement(3, 2, 1, 2, 0.25), "it loses")]
    write_report(str(tmp_path), exports)
    assert read_report(str(tmp_path)) == exports
