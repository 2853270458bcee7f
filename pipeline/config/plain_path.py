"""Paths that TensorFlow and Beam do not take for patterns.

A project folder may be called `proj [v1]`. But TensorFlow cannot load weights from there (RestoreV2 looks for the files
by a pattern, tensorflow/core/kernels/save_restore_v2_ops.cc), and Beam, before it writes, deletes what matches the name
(apache_beam/io/filebasedsink.py). Such a folder is reached by a link of a plain name in the user's cache.
"""

import hashlib
import os
import re
from pathlib import Path

from components.common.files import is_remote

MISREAD = re.compile(r"[*?[\\]")
LINKS = "tfx-efficientnet/links"  # below the user's cache


class NoPlainPath(ValueError):
    """The path cannot be used as it is, nor by a link."""


def plain_path(path: str) -> str:
    """Returns `path`, or one to the same place without *, ?, [ and backslashes; makes the link that this takes.

    Args:
      path: absolute, or of a remote storage; what is there need not exist yet. A folder that the link leads to is made,
        for nothing can be made through a link that leads nowhere.

    Raises:
      NoPlainPath: there is no such path; the message says what to do.
    """
    if is_remote(path) or not MISREAD.search(path):
        return path
    parts = Path(path).parts
    last = max(number for number, part in enumerate(parts) if MISREAD.search(part))
    place, rest = Path(*parts[: last + 1]), parts[last + 1 :]
    suffix = "" if MISREAD.search(place.suffix) else place.suffix  # by which weights are told
    try:
        link = _links() / f"{hashlib.sha256(str(place).encode()).hexdigest()[:16]}{suffix}"
        _make(link, place)
    except OSError as error:
        raise NoPlainPath(
            f"{path} has *, ?, [ or a backslash in it, which TensorFlow takes for a pattern, and no link to it can be "
            f"made ({error}): choose another folder"
        ) from error
    return str(link.joinpath(*rest))


def real_path(path: str) -> str:
    """Returns the path behind a link of `plain_path`, to be shown; other paths as they are."""
    links = _links()
    if is_remote(path) or not Path(path).is_relative_to(links):
        return path
    first, *rest = Path(path).relative_to(links).parts
    return str(Path((links / first).readlink(), *rest))


def _links() -> Path:
    """The folder of the links: in the user's cache, or, where that has such a name as well, where files last too.

    Raises:
      PermissionError: somebody else has that folder.
    """
    links = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / LINKS
    if not MISREAD.search(str(links)):
        return links
    own = Path(f"/var/tmp/tfx-efficientnet-{os.getuid()}")
    own.mkdir(mode=0o700, exist_ok=True)
    if own.is_symlink() or own.stat().st_uid != os.getuid():
        raise PermissionError(f"{own} is not this user's")
    return own / "links"


def _make(link: Path, place: Path) -> None:
    if link.is_symlink() and link.readlink() == place:
        return
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not link.suffix:
        place.mkdir(parents=True, exist_ok=True)
    new = link.with_name(f".{os.urandom(8).hex()}")
    new.symlink_to(place)
    new.replace(link)
