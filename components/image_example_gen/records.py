"""The Beam part of the ingest: image files in, TFRecord shards and counts out.

    files -> Reshuffle -> ReadImage --train, val, eval--> TFRecord shards -> records counted from the shards
                                    \\--outcomes--------> quarantine lines, counts, copies

Only names pass through the shuffle. Reading, encoding and writing are one fused step, so that no runner has to hold the
images; how many shards there are is the runner's choice (the in-memory runner writes one a split).
"""

import hashlib
import json
import logging
import posixpath
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystem import BeamIOError

from components import files
from components.image_example_gen.accounts import QUARANTINED, REENCODED, SEEN, STORED, WRITTEN
from components.image_example_gen.image_codec import ImageError, NormalisedImage, normalise_image
from components.image_example_gen.layout import ImageFile
from components.image_example_gen.listing import Rejected
from components.image_example_gen.split import SPLITS, SplitRule

PROGRESS_SECONDS = 2.0

_progress = logging.getLogger("effnet.progress")


class Progress:
    """Logs how far this worker is, at most every two seconds."""

    def __init__(self, total: int):
        self._total = total
        self._done = 0
        self._started = self._last = time.monotonic()

    def step(self) -> None:
        """Counts one image."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS:
            self._last = now
            rate = self._done / (now - self._started)
            _progress.info("ingest: %d/%d images, %s images/s", self._done, self._total, f"{rate:,.0f}")


class ReadImage(beam.DoFn):
    """Reads, checks and encodes one file.

    Outputs: a serialised tf.Example to the tag of its split, a `Rejected` to "quarantine", counters to "counts" and
    (sha256, [split, class, path]) to "copies".
    """

    def __init__(self, root: str, classes: list[str], rule: SplitRule, max_pixels: int, total: int):
        self._root = root
        self._classes = classes
        self._rule = rule
        self._max_pixels = max_pixels
        self._total = total

    def setup(self) -> None:
        """Starts this worker's clock."""
        self._progress = Progress(self._total)

    def process(self, file: ImageFile) -> Iterator[Any]:
        """Yields the outputs for one file."""
        self._progress.step()
        yield beam.pvalue.TaggedOutput("counts", (SEEN,))
        try:
            data = files.read_bytes(files.join(self._root, file.path))
            image = normalise_image(data, self._max_pixels)
        except ImageError as error:
            yield from self._reject(file, error.reason, str(error))
            return
        except (OSError, BeamIOError) as error:
            yield from self._reject(file, "unreadable", getattr(error, "strerror", None) or str(error))
            return
        sha256 = hashlib.sha256(data).hexdigest()
        split = self._split_of(file, sha256)
        class_name = self._classes[file.label]
        yield beam.pvalue.TaggedOutput(split, encode_example(file, class_name, sha256, image))
        yield beam.pvalue.TaggedOutput("counts", (WRITTEN, split, class_name))
        for change in image.changes:
            yield beam.pvalue.TaggedOutput("counts", (REENCODED, change))
        yield beam.pvalue.TaggedOutput("copies", (sha256, (split, class_name, file.path)))

    def _split_of(self, file: ImageFile, sha256: str) -> str:
        # Images of a given val or eval folder stay there; those of train may be cut for what is not given.
        return file.split if file.split not in ("", "train") else self._rule.split_of(sha256)

    def _reject(self, file: ImageFile, reason: str, message: str) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput("quarantine", Rejected(file.path, reason, message))
        yield beam.pvalue.TaggedOutput("counts", (QUARANTINED, reason))


def encode_example(file: ImageFile, class_name: str, sha256: str, image: NormalisedImage) -> bytes:
    """Returns a serialised tf.Example; data/schema.pbtxt says what its features are."""
    features: dict[str, tf.train.Feature] = {
        "image": _bytes(image.data),
        "label": _int(file.label),
        "class_name": _bytes(class_name.encode()),
        "path": _bytes(file.path.encode()),
        "sha256": _bytes(sha256.encode()),
        "width": _int(image.width),
        "height": _int(image.height),
        "format": _bytes(image.format.encode()),
        "brightness": tf.train.Feature(float_list=tf.train.FloatList(value=[image.brightness])),
    }
    # Deterministic: the same images give the same shard, byte by byte.
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def describe_copies(copies: tuple[str, Iterable[tuple[str, str, str]]]) -> Iterator[dict]:
    """Yields the splits, classes and paths of files with the same bytes, if there is more than one."""
    _, places = copies
    ordered = sorted(places)
    if len(ordered) > 1:
        splits, classes, paths = zip(*ordered, strict=True)
        yield {"splits": sorted(set(splits)), "classes": sorted(set(classes)), "paths": sorted(paths)}


def build_ingest(
    pipeline: beam.Pipeline, images: list[ImageFile], reader: ReadImage, split_uris: dict[str, str], outcome_path: str
) -> None:
    """Adds the ingest to `pipeline`.

    Args:
        images: what to read, in the order in which it is to be written (runners that keep one).
        reader: the DoFn.
        split_uris: split -> folder for its shards.
        outcome_path: file for the outcome, one JSON value a line in any order: [kind, value] with the kinds "count"
            ([[key, *names], number]), "quarantine" (a `Rejected`) and "copies" (as `describe_copies` yields).
    """
    outputs = (
        pipeline
        | "Files" >> beam.Create(images, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "ReadImage" >> beam.ParDo(reader).with_outputs(*SPLITS, "quarantine", "counts", "copies")
    )
    shards = [
        outputs[split]
        | f"Write[{split}]"
        >> beam.io.WriteToTFRecord(files.join(split_uris[split], "data_tfrecord"), file_name_suffix=".gz")
        for split in SPLITS
    ]
    split_of = {uri.rstrip("/"): split for split, uri in split_uris.items()}
    # Counted from the shards rather than on the way to them: what a runner loses is missed here.
    stored = (
        shards
        | "Shards" >> beam.Flatten()
        | "ReadBack" >> beam.io.ReadAllFromTFRecord(with_filename=True)
        | "Stored" >> beam.MapTuple(lambda shard, _: (STORED, split_of[posixpath.dirname(shard)]))
        | "CountStored" >> beam.combiners.Count.PerElement()
    )
    counts = outputs["counts"] | "CountRead" >> beam.combiners.Count.PerElement()
    copies = outputs["copies"] | "BySha256" >> beam.GroupByKey() | beam.FlatMap(describe_copies)
    _ = (
        (
            (counts, stored) | "Counts" >> beam.Flatten() | "Count" >> beam.Map(lambda count: ("count", count)),
            outputs["quarantine"] | "Quarantine" >> beam.Map(lambda rejected: ("quarantine", asdict(rejected))),
            copies | "Copies" >> beam.Map(lambda group: ("copies", group)),
        )
        | "Outcome" >> beam.Flatten()
        | "AsJson" >> beam.Map(lambda outcome: json.dumps(outcome, ensure_ascii=False))
        | "WriteOutcome" >> beam.io.WriteToText(outcome_path, num_shards=1, shard_name_template="")
    )
