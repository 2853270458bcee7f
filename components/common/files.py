"""Small files, local or on any storage that Beam knows (gs://, s3://, hdfs://).

Local paths are read directly, so that local work needs no import of Beam, which takes seconds.
"""

import contextlib
import glob
import hashlib
import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from apache_beam.io.filesystems import FileSystems

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
COPY_BYTES = 1 << 20


def is_remote(path: str) -> bool:
    """Tells whether `path` names a storage rather than a place in the local file system."""
    return bool(_SCHEME.match(path))


def join(folder: str, *parts: str) -> str:
    """Joins with a slash, which every storage understands."""
    return "/".join([folder.rstrip("/"), *parts])


def storages() -> "type[FileSystems]":
    """Beam's file systems, ready: S3's fails as long as nobody has set options, which otherwise a pipeline does."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


def read_bytes(path: str) -> bytes:
    """Returns a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    if not is_remote(path):
        return Path(path).read_bytes()
    from apache_beam.io.filesystem import CompressionTypes

    # Beam would unpack what is called *.gz; a file's bytes are wanted as they are.
    with storages().open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def sha256(path: str) -> str:
    """Returns a hash (64 hex digits) of a local file's content, as `sha256sum` prints it.

    Raises:
        OSError: if it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_range(path: str, offset: int, size: int) -> bytes:
    """Returns a piece of a file's content.

    Raises:
        OSError: if it cannot be read, or is shorter.
    """
    with open_binary(path) as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise OSError(f"{path} ends before byte {offset + size:,}")
    return data


def write_text(path: str, text: str) -> None:
    """Writes a UTF-8 file, and the folders above it.

    Raises:
        OSError: if it cannot be written.
    """
    if not is_remote(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        return
    from apache_beam.io.filesystem import CompressionTypes

    with storages().create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(text.encode())


def replace_text(path: str, text: str) -> None:
    """Replaces a UTF-8 file so that a kill leaves it whole: as it was, or as it was to be; makes the folders above it.

    Object stores put a file whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    if is_remote(path):
        write_text(path, text)
        return
    new = f"{path}.new"
    write_text(new, text)
    Path(new).replace(path)


def copy(source: str, destination: str) -> None:
    """Copies a file, and makes the folders above it; a local copy is on the disk when this returns.

    Raises:
        OSError: if it cannot be read or written.
    """
    if not is_remote(destination):
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        with open_binary(source) as reader, Path(destination).open("wb") as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)
            writer.flush()
            os.fsync(writer.fileno())
        return
    from apache_beam.io.filesystem import CompressionTypes

    with (
        open_binary(source) as reader,
        storages().create(destination, compression_type=CompressionTypes.UNCOMPRESSED) as out,
    ):
        shutil.copyfileobj(reader, out, COPY_BYTES)


def bring(source: str, destination: str, leave_out: Collection[str] = ()) -> None:
    """Makes the folder `destination` a copy of `source`, for files that are never written again.

    On one local disk the files are hard links, which cost no space and outlive the deletion of the source.

    Raises:
        OSError: if a file cannot be read or written.
    """
    for name in walk(source):
        if name not in leave_out:
            _link_or_copy(join(source, name), join(destination, name))


def _link_or_copy(source: str, destination: str) -> None:
    if not is_remote(source) and not is_remote(destination):
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        # Another disk, or a file system without hard links, is no error: the file is copied.
        with contextlib.suppress(OSError):
            os.link(source, destination)
            return
    copy(source, destination)


def open_binary(path: str) -> BinaryIO:
    """Opens a file to read its bytes as they are.

    Raises:
        OSError: if it cannot be opened.
    """
    if not is_remote(path):
        return Path(path).open("rb")
    from apache_beam.io.filesystem import CompressionTypes

    return storages().open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def walk(folder: str) -> list[str]:
    """Returns the files anywhere below a folder, relative to it, sorted; none if there is no such folder."""
    if not is_remote(folder):
        return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
    found = storages().match([join(folder, "**")])[0].metadata_list
    return sorted(match.path.removeprefix(join(folder, "")) for match in found)


def size(folder: str) -> int:
    """Returns the bytes of all files below a local folder."""
    return sum((Path(folder) / name).stat().st_size for name in walk(folder))


def delete(path: str) -> None:
    """Deletes a file, or a folder with all that is in it.

    Raises:
        OSError: if it cannot be deleted.
    """
    if is_remote(path):
        # Object stores have no folders to delete, only what is in them.
        storages().delete([join(path, name) for name in walk(path)] or [path])
    elif Path(path).is_dir():
        shutil.rmtree(path)
    else:
        Path(path).unlink()


def find(pattern: str) -> list[str]:
    """Returns the files that match a glob pattern, sorted; none if there is no such folder."""
    if not is_remote(pattern):
        return sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern is absolute, which Path.glob does not take
    return sorted(match.path for match in storages().match([pattern])[0].metadata_list)


def exists(path: str) -> bool:
    """Tells whether a file or a folder is there."""
    if not is_remote(path):
        return Path(path).exists()
    return bool(storages().exists(path))
