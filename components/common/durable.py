"""Local files that are on the disk, whole, before anything says that they exist.

After a power cut a file that was written but not synced may be empty, and one that was renamed may be so under its new
name: the order is write, sync the file, rename, sync the folder. `components.common.files` writes by these functions.
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# What some network file systems answer to the syncing of a folder; there the server keeps the order.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Yields a file to write, which takes the place of `path` when it is whole and on the disk; makes folders above it.

    An error or a kill leaves what was there. The file keeps the mode of the one that it replaces.

    Raises:
        OSError: if it cannot be written.
    """
    if path.is_symlink():
        path = path.resolve()  # a link to a file elsewhere stays one
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    # A random name: process ids repeat where several containers share a folder.
    temporary = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if path.exists():
                shutil.copymode(path, temporary)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def rename_folder(source: Path, destination: Path) -> None:
    """Gives a folder a new name, on the same disk, after all that is in it is on the disk.

    Raises:
        OSError: if it cannot be renamed or synced.
    """
    sync_tree(source)
    source.rename(destination)
    for folder in {destination.parent, source.parent}:
        sync_folder(folder)


def sync_tree(folder: Path) -> None:
    """Waits until every file and folder below `folder`, and itself, is on the disk.

    Raises:
        OSError: if the disk fails; what is below may then be lost.
    """
    for parent, _, names in os.walk(folder, topdown=False, onerror=_raise):
        for name in names:
            path = Path(parent, name)
            if path.is_file():
                _sync(path, ())
        sync_folder(Path(parent))


def sync_folder(folder: Path) -> None:
    """Waits until the names in `folder` are on the disk.

    Raises:
        OSError: if the disk fails.
    """
    _sync(folder, _NO_SYNC)


def _sync(path: Path, forgiven: tuple[int, ...]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in forgiven:
            raise
    finally:
        os.close(descriptor)


def _raise(error: OSError) -> None:
    raise error
