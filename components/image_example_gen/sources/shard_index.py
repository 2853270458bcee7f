"""Finds the images of all shards, in Beam.

Each shard is read once by one worker; of a tar only the headers. A shard that is compressed as a whole is unpacked for
the time of the ingest, because no image in it could be read by itself.
"""

import gzip
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from typing import BinaryIO

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError

from components.common import files
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shards import Found, is_packed, is_tar, split_of_name
from components.image_example_gen.sources.tfrecord import index_records
from components.image_example_gen.sources.webdataset import index_tar

_DONE = "done"
_LINES: dict[str, type[Found] | type[Rejected]] = {"found": Found, "rejected": Rejected}


def index_shard(file: BinaryIO, path: str, shard: str, features: Mapping[str, str]) -> Iterator[Found | Rejected]:
    """Yields what lies in a shard, in its order.

    Args:
        file: the shard, unpacked; it can seek.
        path: its path below the root, for names.
        shard: where `file` lies.
        features: part of an example ("image", "label", "split", "group") -> name of its feature, where it is none of
            `FEATURES`.
    """
    split = split_of_name(path)
    for item in index_tar(file, path, shard) if is_tar(path) else index_records(file, path, shard, features):
        yield replace(item, shard_split=split) if isinstance(item, Found) else item


class IndexShard(beam.DoFn):
    """Turns the path of a shard into JSON lines [kind, ...fields] of what lies in it, and one that says it is done."""

    def __init__(self, root: str, features: Mapping[str, str], unpacked: str):
        """Remembers where shards lie.

        Args:
            root: the folder that paths are relative to.
            features: as `index_shard` takes them.
            unpacked: folder for unpacked shards that all workers reach.
        """
        self._root = root
        self._features = features
        self._unpacked = unpacked

    def process(self, path: str) -> Iterator[str]:
        """Yields the lines of one shard."""
        shard = files.join(self._root, path)
        try:
            if is_packed(path):
                shard, problem = self._unpack(shard)
                if problem:
                    yield _line(Rejected(path, "truncated", problem))
            with files.open_binary(shard) as file:
                yield from map(_line, index_shard(file, path, shard, self._features))
        except (OSError, BeamIOError) as error:
            yield _line(Rejected(path, "unreadable", getattr(error, "strerror", None) or str(error)))
        yield json.dumps([_DONE, path])

    def _unpack(self, packed: str) -> tuple[str, str]:
        """Returns where the unpacked shard lies, and what was wrong with it; what comes before the damage is kept."""
        problem = ""
        with tempfile.NamedTemporaryFile() as local:
            with files.open_binary(packed) as file, gzip.open(file) as content:
                try:
                    shutil.copyfileobj(content, local, files.COPY_BYTES)
                except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                    problem = f"the compressed shard is damaged: {error}"
            local.flush()
            destination = files.join(self._unpacked, hashlib.sha256(packed.encode()).hexdigest())
            files.copy(local.name, destination)
        return destination, problem


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
    """Returns what lies in the shards.

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
