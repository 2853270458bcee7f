"""Converts the pushed model for TFX."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common import files
from components.common.executor_types import Artifacts, ExecProperties
from components.common.push_properties import PUSHED
from components.model_exporter.agreement import Agreement
from components.model_exporter.formats import FILES, ExportedModel, Pixels, convert, load
from components.model_exporter.report import Export, write_report

BATCH = 32


class Executor(BaseExecutor):
    """Converts, compares, and keeps what agrees."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `pushed_model` and `examples`, writes `exports`; nothing but an empty report if none was pushed."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(input_dict["pushed_model"])
        uri = artifact_utils.get_single_uri(output_dict["exports"])
        if not pushed.get_int_custom_property(PUSHED):
            write_report(uri, [])
            return
        splits = {
            name: artifact_utils.get_split_uris(input_dict["examples"], name)[0]
            for name in ("train", exec_properties["split"])
        }
        exports = export(
            pushed.uri,
            json.loads(exec_properties["formats"]),
            splits["train"],
            splits[exec_properties["split"]],
            exec_properties["representative_images"],
            exec_properties["max_accuracy_drop"],
            uri,
        )
        write_report(uri, exports)


def export(
    saved_model: str,
    formats: Sequence[str],
    train_uri: str,
    eval_uri: str,
    representative_images: int,
    max_accuracy_drop: float,
    destination: str,
) -> list[Export]:
    """Writes a SavedModel in other formats, each if it agrees, and tells how far.

    Args:
        saved_model: the model's folder.
        formats: of `formats.FILES`.
        train_uri: folder of the split whose first images choose int8's ranges.
        eval_uri: folder of the split to compare on.
        representative_images: how many of the former.
        max_accuracy_drop: what a conversion may lose.
        destination: folder for the files.
    """
    model = tf.saved_model.load(saved_model)
    representative = [
        image
        for pixels, _ in islice(read_batches(model, train_uri), -(-representative_images // BATCH))
        for image in pixels
    ][:representative_images]
    size = sum(files.sizes(saved_model).values())
    converted = {name: convert(model, name, representative) for name in formats}
    agreements = compare(model, converted, eval_uri)
    exports = []
    for name, content in converted.items():
        problem = agreements[name].find_problem(max_accuracy_drop)
        if not problem:
            files.write_bytes(files.join(destination, FILES[name]), content)
        ratio = len(content) / size
        exports.append(Export(name, FILES[name], len(content) / 1e6, ratio, agreements[name], problem))
    return exports


def compare(model: ExportedModel, converted: dict[str, bytes], eval_uri: str) -> dict[str, Agreement]:
    """Asks the model and all its conversions about the same images, those of one split."""
    answers = {name: load(name, content) for name, content in converted.items()}
    agreements = dict.fromkeys(converted, Agreement())
    for pixels, labels in read_batches(model, eval_uri):
        wanted = model.classify_pixels(tf.constant(pixels)).numpy()
        for name, answer in answers.items():
            agreements[name] = agreements[name].add(answer(pixels), wanted, labels)
    return agreements


def read_batches(model: ExportedModel, split_uri: str) -> Iterator[tuple[Pixels, NDArray[np.int64]]]:
    """Yields what the network sees of a split that ImageExampleGen wrote: pixels and labels, (batch,) each."""
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    names = files.shards(split_uri)
    for records in tf.data.TFRecordDataset(names, compression_type="GZIP").batch(BATCH):
        features = tf.io.parse_example(records, spec)
        yield model.pixels(features["image"]).numpy(), features["label"].numpy()
