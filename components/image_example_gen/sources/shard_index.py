"""Finds the images of all shards, in Beam: each shard is read once by one worker; of a tar only the headers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

import apache_beam as beam

from components.common import files
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shard_reading import read_shard
from components.image_example_gen.sources.shards import Found

_DONE = "done"
_LINES: dict[str, type[Found] | type[Rejected]] = {"found": Found, "rejected": Rejected}


class IndexShard(beam.DoFn):
    """Turns the path of a shard into JSON lines [kind, ...fields] of its content, and one that says it is done."""

    def __init__(self, root: str, features: Mapping[str, str], unpacked: str):
        """Remembers where shards lie.

        Args:
            root: the folder that paths are relative to.
            features: as `read_shard` takes them.
            unpacked: folder for unpacked shards that all workers reach.
        """
        self._root = root
        self._features = features
        self._unpacked = unpacked

    def process(self, path: str) -> Iterator[str]:
        """Yields the lines of one shard."""
        yield from map(_line, read_shard(self._root, path, self._features, self._unpacked))
        yield json.dumps([_DONE, path])


def _line(item: Found | Rejected) -> str:
    kind = "found" if isinstance(item, Found) else "rejected"
    return json.dumps([kind, *astuple(item)])


def build_index(pipeline: beam.Pipeline, shards: Sequence[str], index: IndexShard, index_path: str) -> None:
    """Adds the indexing of `shards`, paths below the root, to `pipeline`; `read_index` reads it from `index_path`."""
    _ = (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "Spread" >> beam.Reshuffle()
        | "Index" >> beam.ParDo(index)
        | "WriteIndex" >> beam.io.WriteToText(index_path, num_shards=1, shard_name_template="")
    )


def read_index(index_path: str, shards: Sequence[str]) -> list[Found | Rejected]:
    """Returns the content of the shards.

    Raises:
        RuntimeError: if a shard was lost on the way.
    """
    found: list[Found | Rejected] = []
    done = set()
    for line in files.read_bytes(index_path).splitlines():
        kind, *fields = json.loads(line)
        if kind == _DONE:
            done.add(fields[0])
        else:
            found.append(_LINES[kind](*fields))
    if lost := set(shards) - done:
        raise RuntimeError(f"{len(lost)} of {len(shards)} shards were lost on the way, such as {min(lost)}")
    return found
