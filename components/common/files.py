"""Small files, local or on a storage that Beam knows (s3://, gs://).

Local paths are read directly, so that local work needs no import of Beam, which takes seconds; `s3` reads s3://.

This is also the one place where a path becomes a pattern. A folder may be called `proj [v1]` or `what?`, which Python's
glob, Beam and TensorFlow take for one: here a folder's name stands for itself, and only what the caller adds is a
pattern. `make lint` bans the libraries' own functions elsewhere.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from components.common import durable, s3, s3_objects
from components.common.errors import one_line
from components.common.s3 import StoredObject as Stored

if TYPE_CHECKING:
    from apache_beam.io.filesystem import FileMetadata
    from apache_beam.io.filesystems import FileSystems

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MAGIC = re.compile(r"[*?[]")
COPY_BYTES = 1 << 20


class FileStatus(NamedTuple):
    """What a storage tells of a file: its bytes, and when it was written last, in seconds since 1970."""

    size: int
    modified: float


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
    if path.startswith(s3.SCHEME):
        return s3.read(path)
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
    if path.startswith(s3.SCHEME):
        data = s3.read(path, offset, size)
    else:
        with open_binary(path) as file:
            file.seek(offset)
            data = file.read(size)
    if len(data) < size:
        raise OSError(f"{path} ends before byte {offset + size:,}")
    return data


def write_text(path: str, text: str) -> None:
    """Writes a UTF-8 file, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: str, content: bytes) -> None:
    """Writes a file, or replaces one, so that a kill or a power cut leaves it whole; makes the folders above it.

    It is on the disk when this returns. Object stores put a file whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    if not is_remote(path):
        with durable.replaced(Path(path)) as local:
            local.write(content)
        return
    if path.startswith(s3.SCHEME):
        s3_objects.put(path, content)
        return
    from apache_beam.io.filesystem import CompressionTypes

    with storages().create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def copy(source: str, destination: str) -> None:
    """Copies a file, and makes the folders above it; a local copy is on the disk when this returns.

    Raises:
        OSError: if it cannot be read or written.
    """
    if not is_remote(destination):
        with open_binary(source) as reader, durable.replaced(Path(destination)) as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)
        return
    if destination.startswith(s3.SCHEME):
        with open_binary(source) as reader:
            s3_objects.upload(destination, reader)
        return
    from apache_beam.io.filesystem import CompressionTypes

    with (
        open_binary(source) as reader,
        storages().create(destination, compression_type=CompressionTypes.UNCOMPRESSED) as out,
    ):
        shutil.copyfileobj(reader, out, COPY_BYTES)


def copy_within(pairs: Collection[tuple[str, str]]) -> None:
    """Copies files of one storage, which does it by itself where it can: no bytes come here.

    Args:
        pairs: source and destination of each.

    Raises:
        OSError: if one cannot be copied.
    """
    if not pairs:
        return
    sources, destinations = zip(*pairs, strict=True)
    # S3's answers a list of (source, destination, error or None), where the others raise.
    results = storages().get_filesystem(sources[0]).copy(list(sources), list(destinations))
    if failed := [(source, error) for source, _, error in results or () if error]:
        raise OSError(f"{failed[0][0]} cannot be copied: {one_line(failed[0][1])}")


def bring(source: str, destination: str, leave_out: Collection[str] = ()) -> None:
    """Makes the folder `destination` a copy of `source`, for files that are never written again.

    On one local disk the files are hard links, which cost no space and outlive the deletion of the source.

    Raises:
        OSError: if a file cannot be read or written.
    """
    for name in walk(source):
        if name not in leave_out:
            _link_or_copy(join(source, name), join(destination, name))


@contextlib.contextmanager
def brought(folder: str) -> Iterator[str]:
    """Yields a local folder with the files of `folder`: itself, or a copy of a remote one, deleted when the block ends.

    Raises:
        OSError: if a file cannot be read or written.
    """
    if not is_remote(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as local:
        bring(folder, local)
        yield local


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
    if path.startswith(s3.SCHEME):
        return s3.open_binary(path)
    from apache_beam.io.filesystem import CompressionTypes

    return storages().open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def walk(folder: str) -> list[str]:
    """Returns the files anywhere below a folder, relative to it, sorted; none if there is no such folder.

    Raises:
        OSError: if a folder cannot be listed: what is in it would be missing without a word.
    """
    if not is_remote(folder):
        found = os.walk(folder, onerror=_raise_unless_missing)
        paths = (Path(parent, name) for parent, _, names in found for name in names)
        return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
    return sorted(sizes(folder))


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def sizes(folder: str) -> dict[str, int]:
    """Returns the bytes of each file below a folder, by its path from there; as `walk`."""
    if is_remote(folder):
        found = {stored.path.removeprefix(join(folder, "")): stored.size for stored in stored_in(folder)}
        return {name: size for name, size in found.items() if name and not name.endswith("/")}  # a folder's marker
    return {name: (Path(folder) / name).stat().st_size for name in walk(folder)}


def status(path: str) -> FileStatus:
    """Returns what the storage tells of a file.

    Raises:
        OSError: if there is no such file.
    """
    if not is_remote(path):
        found = Path(path).stat()
        return FileStatus(found.st_size, found.st_mtime)
    folder, _, name = path.rpartition("/")
    if not (matching := matches(folder, escape(name))):
        raise FileNotFoundError(f"there is no file {path}")
    return FileStatus(matching[0].size_in_bytes, matching[0].last_updated_in_seconds)


def move(source: str, destination: str) -> None:
    """Gives a folder another name in its storage, and makes the folders above that; a local one is then on the disk.

    Raises:
        OSError: if it cannot be moved. A remote folder, whose files move one by one, may then be in both places.
    """
    if is_remote(source):
        bring(source, destination)
        delete(source)
        return
    Path(destination).parent.mkdir(parents=True, exist_ok=True)
    durable.rename_folder(Path(source), Path(destination))


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


def escape(path: str) -> str:
    """Returns a pattern that matches `path` alone, for Python, Beam and TensorFlow.

    In brackets, since Beam knows no other way. A backslash is TensorFlow's own escape and stays as it is.
    """
    return _MAGIC.sub(lambda found: f"[{found[0]}]", path)


def all_in(folder: str) -> str:
    """Returns the pattern of everything in `folder`, for libraries that take no list of files."""
    return join(escape(folder), "*")


def find(folder: str, pattern: str) -> list[str]:
    """Returns the paths below `folder` that match `pattern`, sorted; none if there is no such folder.

    Args:
        folder: taken as it is, local or remote.
        pattern: with *, ? and [...].

    Raises:
        OSError: if the folder cannot be listed; that nothing is there would be another answer.
    """
    if is_remote(folder):
        return sorted(match.path for match in matches(folder, pattern))
    with contextlib.suppress(FileNotFoundError):
        os.scandir(folder).close()  # Path.glob passes over what cannot be listed
        return sorted(str(path) for path in Path(folder).glob(pattern))
    return []


def is_temporary(path: str) -> bool:
    """Tells whether a path leads into a folder in which Beam keeps what it has not finished."""
    return any(part.startswith("beam-temp-") for part in path.split("/"))


def shards(folder: str) -> list[str]:
    """Returns the paths of the files that a Beam step stored in `folder`, sorted; as `find`.

    What is hidden or temporary is none of them: an engine may leave it behind at any time.
    """
    found = (path for path in find(folder, "*") if not path.rpartition("/")[2].startswith("."))
    return [path for path in found if not is_temporary(path.removeprefix(folder))]


def expand(patterns: Iterable[str]) -> list[str]:
    """Returns the files that libraries' patterns such as `all_in`'s stand for; only their last parts are patterns.

    What is temporary is left out.

    Raises:
        FileNotFoundError: if a pattern matches nothing.
        OSError: if a folder cannot be listed.
    """
    found = []
    for pattern in patterns:
        folder, _, names = pattern.rpartition("/")
        if not (matching := [path for path in find(folder, names) if not is_temporary(path.removeprefix(folder))]):
            raise FileNotFoundError(f"nothing matches {pattern}: the step that should have written there gave nothing")
        found += matching
    return found


def stored_in(folder: str) -> list[Stored]:
    """Returns the files anywhere below a remote folder, in no order; none if there is no such folder.

    Raises:
        OSError: if it cannot be listed.
        ValueError: if Beam knows no such storage.
    """
    if folder.startswith(s3.SCHEME):
        return s3.list_below(join(folder, ""))
    found = matches(folder, "**")
    return [Stored(match.path, match.size_in_bytes, match.last_updated_in_seconds) for match in found]


def matches(folder: str, pattern: str) -> "list[FileMetadata]":
    """Returns what Beam knows of the files of a remote folder: path, size_in_bytes, last_updated_in_seconds.

    Raises:
        OSError: if it cannot be listed.
    """
    found: list[FileMetadata] = storages().match([join(escape(folder), pattern)])[0].metadata_list
    return found


def nearest_folder(path: Path) -> Path:
    """Returns a local folder, or the closest one above it that exists, as far as this user may see."""
    # Path.is_dir raises an error below a folder that this user may not enter.
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if os.path.isdir(folder))  # noqa: PTH112


def exists(path: str) -> bool:
    """Tells whether a file or a folder is there."""
    if not is_remote(path):
        return Path(path).exists()
    return bool(storages().exists(path))
