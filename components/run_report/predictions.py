"""Asks an exported model about the images of a split."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import tensorflow as tf

from components.common import files
from components.run_report.analysis import Answers

SIGNATURE = "serving_examples"
BATCH_SIZE = 32
FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "class_name": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "path": tf.io.FixedLenFeature([], tf.string),
}


@dataclass(frozen=True)
class StoredSplit:
    """A split that ImageExampleGen wrote.

    Attributes:
        uri: folder of its gzipped TFRecords.
    """

    uri: str

    def ask(self, saved_model: str, most: int) -> Answers | None:
        """Returns the answers of the model in the folder `saved_model` to the first images; None if there are none."""
        return _ask(saved_model, _examples(self.uri).take(most))

    def read_images(self, numbers: Collection[int]) -> dict[int, bytes]:
        """Returns the encoded images with these numbers, counted from 0 in the order of `ask`."""
        last = max(numbers, default=-1)
        wanted = set(numbers)
        spec = {"image": FEATURES["image"]}
        return {
            number: tf.io.parse_single_example(record, spec)["image"].numpy()
            for number, record in enumerate(islice(_examples(self.uri), last + 1))
            if number in wanted
        }

    def read_samples(self, most: int) -> Iterator[tuple[str, str, bytes]]:
        """Yields class, path and encoded image of the first examples."""
        spec = {name: FEATURES[name] for name in ("class_name", "path", "image")}
        for record in islice(_examples(self.uri), most):
            example = tf.io.parse_single_example(record, spec)
            yield example["class_name"].numpy().decode(), example["path"].numpy().decode(), example["image"].numpy()


def _ask(saved_model: str, examples: tf.data.Dataset) -> Answers | None:
    classify = tf.saved_model.load(saved_model).signatures[SIGNATURE]
    probabilities, noted = [], []
    for batch in examples.batch(BATCH_SIZE):
        probabilities.append(classify(examples=batch)["probabilities"].numpy())
        features = tf.io.parse_example(batch, {name: spec for name, spec in FEATURES.items() if name != "image"})
        noted.append({name: values.numpy() for name, values in features.items()})
    if not noted:
        return None
    columns = {name: np.concatenate([batch[name] for batch in noted]) for name in noted[0]}
    return Answers(
        labels=columns["label"],
        probabilities=np.concatenate(probabilities),
        paths=[path.decode() for path in columns["path"]],
    )


def _examples(split_uri: str) -> tf.data.Dataset:
    names = files.shards(split_uri)
    return tf.data.TFRecordDataset(names, compression_type="GZIP")
