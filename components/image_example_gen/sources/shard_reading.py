"""Reads one shard: what it is, its content, and what is wrong with it."""

import contextlib
import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from components.common import durable, files
from components.image_example_gen.sources.bounded_file import bounded
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.parquet import index_parquet
from components.image_example_gen.sources.shards import GZIP, PARQUET, TAR, Found, kind_of
from components.image_example_gen.sources.split_names import split_of_name
from components.image_example_gen.sources.tfrecord import index_records
from components.image_example_gen.sources.webdataset import index_tar

# Images hardly compress; a shard that grows more than this is no data set but an attack on the disk.
MOST_GROWTH, LEAST_BOUND = 100, 1 << 30


def read_shard(
    root: str, path: str, features: Mapping[str, str], unpacked: str, most_bytes: int | None = None
) -> Iterator[Found | Rejected]:
    """Yields the content of a shard, and one line that says why if it cannot be read.

    A shard that is compressed as a whole is unpacked, because no image in it could be read by itself.

    Args:
        root: the folder that `path` is relative to.
        path: of the shard.
        features: part of an example ("image", "label", "split", "group") -> name of its feature or column, where it is
            none of the usual ones.
        unpacked: folder for what has to be unpacked.
        most_bytes: that are unpacked of a compressed shard; None: all, within reason.
    """
    shard = files.join(root, path)
    beside = files.join(unpacked, hashlib.sha256(shard.encode()).hexdigest())
    try:
        with files.open_binary(shard) as file:
            kind = kind_of(file, path)
        if kind == GZIP:
            if problem := _unpack(shard, beside, most_bytes):
                yield Rejected(path, "truncated", problem)
            shard = beside
            with files.open_binary(shard) as file:
                kind = kind_of(file, path.removesuffix(".gz"))
        with files.open_binary(shard) as file:
            if kind == PARQUET:
                images = f"{beside}.images"
                with _writer(images) as writer:
                    yield from _named(index_parquet(file, path, images, writer, features), path)
            else:
                yield from index_shard(file, path, shard, features)
    except Exception as error:
        # Whatever a shard's bytes do to a reader, the shard is named, and the others are read.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        yield Rejected(path, "unreadable", f"the shard cannot be read: {reason}")


def index_shard(file: BinaryIO, path: str, shard: str, features: Mapping[str, str]) -> Iterator[Found | Rejected]:
    """Yields the content of a tar or a TFRecord, in its order.

    Args:
        file: the shard, unpacked; it can seek.
        path: its path below the root, for names.
        shard: where `file` lies.
        features: as `read_shard` takes them.
    """
    within = bounded(file)
    is_tar = kind_of(within, path) == TAR
    items = index_tar(within, path, shard) if is_tar else index_records(within, path, shard, features)
    yield from _named(items, path)


def _named(items: Iterator[Found | Rejected], path: str) -> Iterator[Found | Rejected]:
    """Adds the split that a shard's path names."""
    split = split_of_name(path)
    for item in items:
        yield replace(item, shard_split=split) if isinstance(item, Found) else item


def _unpack(packed: str, destination: str, most_bytes: int | None) -> str:
    """Unpacks a shard, and returns what was wrong with it; what comes before the damage is kept."""
    with files.open_binary(packed) as file, _writer(destination) as out:
        size = file.seek(0, 2)
        file.seek(0)
        left = most_bytes or max(LEAST_BOUND, MOST_GROWTH * size)
        try:
            with gzip.open(file) as content:
                while chunk := content.read(min(files.COPY_BYTES, left)):
                    out.write(chunk)
                    left -= len(chunk)
                if not left and not most_bytes and content.read(1):
                    return f"unpacks to more than {MOST_GROWTH} times its size"
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            return f"the compressed shard is damaged: {error}"
    return ""


@contextlib.contextmanager
def _writer(destination: str) -> Iterator[BinaryIO]:
    """Writes a file in any storage, which is there, whole, when this ends: an engine may have two workers write it."""
    if not files.is_remote(destination):
        with durable.replaced(Path(destination)) as file:
            yield file
        return
    with tempfile.NamedTemporaryFile() as local:
        yield cast(BinaryIO, local)
        local.flush()
        files.copy(local.name, destination)
