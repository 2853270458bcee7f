"""How much Transform is going to store, from the first few images, before it works through all of them."""

import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from components.common import files
from components.common.human_format import byte_count

SAMPLE = 32  # images; those of a split lie mixed, so that the first ones are as good as any
RECORD_BYTES = 40  # of what TFRecord and tf.Example add to an image, compressed
ROOM = 1.1  # what the disk has to have free, as a multiple of the forecast
_INPUTS = {"image": tf.io.FixedLenFeature([1], tf.string), "label": tf.io.FixedLenFeature([1], tf.int64)}

Preprocessing = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
"""TFX's `preprocessing_fn` with its configuration: features of a batch to others."""


@dataclass(frozen=True)
class Forecast:
    """What is going to be stored.

    Attributes:
        images: how many.
        bytes_per_image: compressed, with everything around it.
    """

    images: int
    bytes_per_image: float

    @property
    def total_bytes(self) -> int:
        """Of all images."""
        return round(self.images * self.bytes_per_image)

    def __str__(self) -> str:
        each = f"{self.bytes_per_image / 1000:.1f} kB each"
        return f"{self.images:,} images of about {each} will be stored, {byte_count(self.total_bytes)} in all"


def forecast(
    folders: Mapping[str, str],
    counts: Mapping[str, int],
    preprocessing: Preprocessing,
) -> Forecast:
    """Transforms the first images of the first split and reckons from them.

    Args:
        folders: split -> folder of its gzipped TFRecords.
        counts: split -> examples.
        preprocessing: TFX's `preprocessing_fn` with its configuration.
    """
    shards = files.shards(next(iter(folders.values())))
    records = list(tf.data.TFRecordDataset(shards, compression_type="GZIP").take(SAMPLE))
    stored = preprocessing(tf.io.parse_example(records, _INPUTS))["image"].numpy()
    each = len(zlib.compress(b"".join(stored))) / len(stored) + RECORD_BYTES
    return Forecast(sum(counts.values()), each)


def check_room(expected: Forecast, uri: str) -> None:
    """Asks that a local disk has room for it.

    Raises:
        RuntimeError: if it has not.
    """
    if files.is_remote(uri):
        return
    free = shutil.disk_usage(files.nearest_folder(Path(uri))).free
    if free < expected.total_bytes * ROOM:
        raise RuntimeError(
            f"Transform would store {byte_count(expected.total_bytes)} ({expected}), and {byte_count(free)} are free "
            f"at {uri}: free some, or set transform.format=jpeg, a smaller model.image_size or "
            "transform.materialize=false"
        )
