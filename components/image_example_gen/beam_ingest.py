"""The Beam part of the ingest: image files in, TFRecord shards and counts out.

    files -> Survey -> AssignSplits --train, val, eval--> WriteExample -> TFRecord shards
                 \\           \\---------quarantine, counts-------------\\-----> outcome

The files are read twice, because the split of an image depends on its copies, which are known only when all were seen.
Between the two passes go names, hashes and numbers, so that no runner has to hold or move the images; the second pass
decodes only what has to be encoded anew. How many shards there are is the runner's choice (the in-memory runner writes
one a split); what is stored in them is counted afterwards.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import NamedTuple

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystem import BeamIOError

from components.common import files
from components.common.beam_types import Emitted
from components.common.errors import StorageError
from components.common.profile import kinds
from components.image_example_gen.balance import IN, OUT, PROFILE, REENCODED, WRITE, WRITTEN
from components.image_example_gen.first_pass import Survey, Surveyed, count, reject
from components.image_example_gen.grouping import AssignSplits
from components.image_example_gen.images.codec import NormalisedImage, normalise_image
from components.image_example_gen.sources.image_bytes import Reader
from components.image_example_gen.sources.plan import ImageFile
from components.image_example_gen.split import SPLITS

READ_AHEAD = 64  # images that a worker is handed at a time


class WriteExample(beam.DoFn):
    """Reads images again, given in lists, and encodes their examples.

    Outputs: a serialised tf.Example to the tag of its split, a `Rejected` to "quarantine", counters to "counts".
    """

    def __init__(self, root: str, classes: list[str], max_pixels: int):
        self._root = root
        self._classes = classes
        self._max_pixels = max_pixels

    def setup(self) -> None:
        """Starts the threads."""
        self._reader = Reader(self._root)

    def teardown(self) -> None:
        """Ends the threads."""
        self._reader.close()

    def process(self, listed: Sequence[tuple[str, Surveyed]]) -> Iterator[Emitted]:
        """Yields the outputs for a list of (split, image)."""
        answers = self._reader.read([surveyed.file for _, surveyed in listed])
        for (split, surveyed), (_, answer) in zip(listed, answers, strict=True):
            yield from self._write(split, surveyed, answer)

    def _write(self, split: str, surveyed: Surveyed, answer: Future[bytes]) -> Iterator[Emitted]:
        file, image = surveyed.file, surveyed.image
        yield count(IN, WRITE)
        try:
            data = answer.result()
        except StorageError:
            raise  # of which this image knows nothing
        except (OSError, BeamIOError) as error:
            yield from reject(WRITE, file, "changed", f"could be read at first, and not again: {error}")
            return
        if hashlib.sha256(data).hexdigest() != surveyed.sha256:
            yield from reject(WRITE, file, "changed", "was written while the images were read: run again")
            return
        if image.changes:
            data = normalise_image(data, self._max_pixels).data
        class_name = self._classes[file.label]
        yield count(OUT, WRITE)
        yield count(WRITTEN, split, class_name)
        yield beam.pvalue.TaggedOutput(split, encode_example(file, class_name, surveyed.sha256, image, data))
        for feature, kind in kinds(class_name, image.brightness, image.width, image.height, image.format):
            yield count(PROFILE, feature, kind)
        for change in image.changes:
            yield count(REENCODED, change)


def encode_example(file: ImageFile, class_name: str, sha256: str, image: NormalisedImage, data: bytes) -> bytes:
    """Returns a serialised tf.Example with `data` as the image; data/schema.pbtxt says what its features are."""
    features: dict[str, tf.train.Feature] = {
        "image": _bytes(data),
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
    example = tf.train.Example(features=tf.train.Features(feature=features))
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


class Steps(NamedTuple):
    """What is done with the images: the first pass, the choice of splits, the second pass."""

    survey: Survey
    assign: AssignSplits
    write: WriteExample


def build_ingest(
    pipeline: beam.Pipeline, images_path: str, steps: Steps, split_uris: dict[str, str], outcome_path: str
) -> None:
    """Adds the ingest to `pipeline`.

    Args:
        images_path: file of what to read, one JSON list of an `ImageFile`'s fields a line, in the order in which the
            examples are to be written (by runners that keep one). A file, because Beam would pack a list of a million
            names into the pipeline itself, which engines refuse.
        steps: what is done with them.
        split_uris: split -> folder for its shards.
        outcome_path: file for the outcome, one JSON value a line in any order: [kind, value] with the kinds "count"
            ([[key, *names], number]) and "quarantine" (a `Rejected`).
    """
    surveyed = (
        pipeline
        | "Names" >> beam.io.ReadFromText(images_path)
        | "Files" >> beam.Map(lambda line: ImageFile(*json.loads(line)))
        | "Spread" >> beam.Reshuffle()
        | "Lists" >> beam.BatchElements(READ_AHEAD, READ_AHEAD)
        | "Survey" >> beam.ParDo(steps.survey).with_outputs("quarantine", "counts", main="surveyed")
    )
    splits = surveyed.surveyed | "AssignSplits" >> steps.assign
    outputs = (
        splits["assigned"]
        | "SpreadAgain" >> beam.Reshuffle()  # the members of a large group would all be read by one worker
        | "ListsAgain" >> beam.BatchElements(READ_AHEAD, READ_AHEAD)
        | "WriteExample" >> beam.ParDo(steps.write).with_outputs(*SPLITS, "quarantine", "counts")
    )
    for split in SPLITS:
        shards = files.join(split_uris[split], "data_tfrecord")
        _ = outputs[split] | f"Write[{split}]" >> beam.io.WriteToTFRecord(shards, file_name_suffix=".gz")
    counts = (
        (surveyed.counts, splits["counts"], outputs.counts)
        | "Counts" >> beam.Flatten()
        | "Count" >> beam.combiners.Count.PerElement()
        | "Counted" >> beam.Map(lambda counted: ("count", counted))
    )
    quarantine = (
        (surveyed.quarantine, splits["quarantine"], outputs.quarantine)
        | "Quarantine" >> beam.Flatten()
        | "Quarantined" >> beam.Map(lambda rejected: ("quarantine", asdict(rejected)))
    )
    _ = (
        (counts, quarantine)
        | "Outcome" >> beam.Flatten()
        | "AsJson" >> beam.Map(lambda outcome: json.dumps(outcome, ensure_ascii=False))
        | "WriteOutcome" >> beam.io.WriteToText(outcome_path, num_shards=1, shard_name_template="")
    )
