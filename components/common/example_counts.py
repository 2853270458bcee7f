"""How many examples each split has.

The step that writes them notes it on the artifact; each step that must not lose any counts them again.
"""

import json
import posixpath
from collections.abc import Collection, Mapping

import apache_beam as beam
from tfx.types import Artifact

from components.common import files
from components.common.beam_types import Elements, Transform

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


class SplitsOfStored(Transform):
    """Shards to one element for each record in them, the name of its split.

    Counted from the shards rather than on the way to them: what a runner loses is missed here.
    """

    def __init__(self, uris: Mapping[str, str]):
        super().__init__()
        self._split_of = {uri.rstrip("/"): split for split, uri in uris.items()}

    def expand(self, shards: Elements) -> Elements:
        """Wires the steps."""
        splits: Elements = (
            shards
            | "ReadBack" >> beam.io.ReadAllFromTFRecord(with_filename=True)
            | "SplitOf" >> beam.MapTuple(lambda shard, _: self._split_of[posixpath.dirname(shard)])
        )
        return splits


def count_stored(pipeline: beam.Pipeline, uris: Mapping[str, str], path: str) -> None:
    """Adds the counting of the examples in the folders `uris` (split -> folder); `read_counts` reads it from `path`."""
    _ = (
        pipeline
        | "Folders" >> beam.Create([files.all_in(uri) for uri in uris.values()])
        | SplitsOfStored(uris)
        | "Count" >> beam.combiners.Count.PerElement()
        | "AsJson" >> beam.Map(json.dumps)
        | "Write" >> beam.io.WriteToText(path, num_shards=1, shard_name_template="")
    )


def read_counts(path: str) -> dict[str, int]:
    """Returns split -> records that `count_stored` found; a split without a record is not among them."""
    return dict(json.loads(line) for line in files.read_bytes(path).splitlines())
