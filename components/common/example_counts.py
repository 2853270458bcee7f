"""How many examples each split has.

The step that writes them notes it on the artifact; each step that must not lose any counts them again.
"""

import json
from collections.abc import Collection, Mapping

import apache_beam as beam
from tfx.types import Artifact

from components.common import files

# A text, because Kubeflow's numbers are floats.
_PROPERTY = "example_counts"


def note_counts(examples: Artifact, counts: Mapping[str, int]) -> None:
    """Notes split -> examples on an `Examples` artifact."""
    examples.set_string_custom_property(_PROPERTY, json.dumps(counts))


def noted_counts(examples: Artifact, splits: Collection[str]) -> dict[str, int]:
    """Returns split -> examples as noted.

    Raises:
        RuntimeError: if the artifact has no note, because nobody could then tell what was lost.
    """
    noted = json.loads(examples.get_string_custom_property(_PROPERTY) or "{}")
    if missing := [split for split in splits if split not in noted]:
        raise RuntimeError(f"got examples that do not say how many there are of {', '.join(missing)}: ingest them anew")
    return {split: noted[split] for split in splits}


def count_stored(pipeline: beam.Pipeline, uris: Mapping[str, str], path: str) -> None:
    """Adds the counting of what is stored in the folders `uris` (split -> folder); `read_counts` reads it from `path`.

    Counted from the folders once they are written, rather than on the way to them: an engine may lose examples, or
    repeat a step into a folder that another attempt has filled.
    """
    split_of = {shard: split for split, uri in uris.items() for shard in files.shards(uri)}
    _ = (
        pipeline
        | "Shards" >> beam.Create([files.escape(shard) for shard in split_of])
        | "Spread" >> beam.Reshuffle()
        | "ReadBack" >> beam.io.ReadAllFromTFRecord(with_filename=True)
        | "SplitOf" >> beam.MapTuple(lambda shard, _: split_of[shard])
        | "Count" >> beam.combiners.Count.PerElement()
        | "AsJson" >> beam.Map(json.dumps)
        | "Write" >> beam.io.WriteToText(path, num_shards=1, shard_name_template="")
    )


def read_counts(path: str) -> dict[str, int]:
    """Returns split -> records that `count_stored` found; a split without a record is not among them."""
    return dict(json.loads(line) for line in files.read_bytes(path).splitlines())
