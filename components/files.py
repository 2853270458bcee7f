"""Small files, local or on any storage that Beam knows (gs://, s3://, hdfs://).

Local paths are read directly, so that local work needs no import of Beam, which takes seconds.
"""

import glob
import re
from pathlib import Path

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_remote(path: str) -> bool:
    """Tells whether `path` names a storage rather than a place in the local file system."""
    return bool(_SCHEME.match(path))


def join(folder: str, *parts: str) -> str:
    """Joins with a slash, which every storage understands."""
    return "/".join([folder.rstrip("/"), *parts])


def read_bytes(path: str) -> bytes:
    """Returns a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    if not is_remote(path):
        return Path(path).read_bytes()
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    # Beam would unpack what is called *.gz; a file's bytes are wanted as they are.
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def write_text(path: str, text: str) -> None:
    """Writes a UTF-8 file; its folder must exist where the storage has folders.

    Raises:
        OSError: if it cannot be written.
    """
    if not is_remote(path):
        Path(path).write_text(text, encoding="utf-8")
        return
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(text.encode())


def find(pattern: str) -> list[str]:
    """Returns the files that match a glob pattern, sorted; none if there is no such folder."""
    if not is_remote(pattern):
        return sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern is absolute, which Path.glob does not take
    from apache_beam.io.filesystems import FileSystems

    return sorted(match.path for match in FileSystems.match([pattern])[0].metadata_list)


def exists(path: str) -> bool:
    """Tells whether a file or a folder is there."""
    if not is_remote(path):
        return Path(path).exists()
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.exists(path)
