"""What lies in the image folder: names, sizes and times, without reading a file.

A local tree is walked link by link; any other storage is listed by Beam.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from components.common import files
from components.common.errors import DataError, MissingData, StorageError

# What operating systems, file managers and notebooks leave behind; it is named in the report and never read.
LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"})


@dataclass(frozen=True, order=True)
class FileEntry:
    """A file to read.

    Attributes:
        path: relative to the root, with slashes.
        size: bytes.
        modified: when it was written last, as the storage tells it, in ns.
        changed: when anything about it changed (ctime), in ns: `cp -p` sets the other time, but nobody sets this one. 0
            in remote storage, where the other cannot be set either.
    """

    path: str
    size: int
    modified: int
    changed: int = 0

    @property
    def identity(self) -> str:
        """A text that is another one once the file was renamed or written."""
        return f"{self.path}\0{self.size}\0{self.modified}\0{self.changed}"


@dataclass(frozen=True, order=True)
class Rejected:
    """A file that becomes no example.

    Attributes:
        path: relative to the root, with slashes; a folder that was not entered ends with one.
        reason: a stable code such as "ignored" or "truncated".
        message: one line for a person.
    """

    path: str
    reason: str
    message: str


@dataclass
class Listing:
    """The content of the image folder.

    Attributes:
        files: what can be read, sorted.
        folders: relative paths of all folders, sorted, empty ones too (storages without folders have none of these).
        rejected: what is there but cannot be read or is litter, sorted.
    """

    files: list[FileEntry] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def list_folder(root: str) -> Listing:
    """Lists everything below `root`.

    Links are followed, but not into a folder that they lie in. Hidden folders are not entered.

    Raises:
        MissingData: if there is no folder `root` or it holds nothing.
        DataError: if a storage cannot be listed.
    """
    listing = Listing()
    if files.is_remote(root):
        _list_remote(root, listing)
    elif not Path(root).is_dir():
        got = "a file" if Path(root).exists() else "nothing"
        raise MissingData(f"got {got} at {root}, expected the folder of images: correct the path (data.path)")
    else:
        _walk(Path(root), "", frozenset(), listing)
    if not listing.files and not listing.folders and not listing.rejected:
        raise MissingData(f"got an empty folder {root}, expected a folder per class: correct the path (data.path)")
    listing.files.sort()
    listing.folders.sort()
    listing.rejected.sort()
    return listing


def fingerprint(listing: Listing) -> str:
    """Returns a sha256 (64 hex digits) that changes when an image is added, removed, renamed or written.

    It changes as well when a file's owner, mode or links do, which without reading it looks like a replacement.
    Litter does not count: a file manager's note must not make a pipeline run again.
    """
    digest = hashlib.sha256()
    for entry in listing.files:
        digest.update(f"{entry.identity}\n".encode())
    for folder in listing.folders:
        digest.update(f"{folder}/\n".encode())
    for rejected in listing.rejected:
        if rejected.reason != "ignored":
            digest.update(f"{rejected.path}\0{rejected.reason}\n".encode())
    return digest.hexdigest()


def is_litter(name: str) -> bool:
    """Tells whether a file or folder of this name is hidden or left by an operating system."""
    return name.startswith(".") or name.lower() in LITTER


def _walk(folder: Path, relative: str, ancestors: frozenset[tuple[int, int]], listing: Listing) -> None:
    """Adds what lies in `folder`, whose path below the root is `relative` ("" or ending with a slash)."""
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            listing.rejected.append(Rejected(relative, "unreadable", "a link to a folder that it lies in"))
            return
        entries = list(os.scandir(folder))
    except OSError as error:
        listing.rejected.append(Rejected(relative, "unreadable", _reason(error)))
        return
    if relative:
        listing.folders.append(relative.rstrip("/"))
    for entry in entries:
        _add(entry, relative + entry.name, ancestors | {identity}, listing)


def _add(entry: os.DirEntry[str], path: str, ancestors: frozenset[tuple[int, int]], listing: Listing) -> None:
    """Adds one directory entry, whose path below the root is `path`."""
    try:
        path.encode()
        status = entry.stat()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        listing.rejected.append(Rejected(shown, "unreadable", "the name is not UTF-8: rename the file"))
        return
    except OSError as error:
        listing.rejected.append(Rejected(path, "unreadable", _reason(error)))
        return
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_litter(entry.name):
        listing.rejected.append(_ignored(path + "/" if is_folder else path))
    elif is_folder:
        _walk(Path(entry.path), path + "/", ancestors, listing)
    elif stat.S_ISREG(status.st_mode):
        listing.files.append(FileEntry(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    else:
        # Reading a pipe would wait for ever.
        listing.rejected.append(Rejected(path, "unreadable", "not a regular file"))


def _list_remote(root: str, listing: Listing) -> None:
    from apache_beam.io.filesystem import BeamIOError

    try:
        found = files.stored_in(root)
    except StorageError as error:
        raise DataError(f"data.path: {error}") from error
    except (BeamIOError, ValueError) as error:
        raise DataError(
            f"cannot list {root} ({error}), expected what Beam can read: correct the path (data.path)"
        ) from error
    folders: set[str] = set()
    for match in found:
        path = match.path.removeprefix(root.rstrip("/")).lstrip("/")
        folders.update(_parents(path))
        if path.endswith("/") or not path:
            continue  # the marker that object stores keep for a folder
        if any(map(is_litter, path.split("/"))):
            listing.rejected.append(_ignored(path))
        else:
            listing.files.append(FileEntry(path, match.size, round(match.modified * 1e9)))
    listing.folders.extend(folder for folder in folders if not any(map(is_litter, folder.split("/"))))


def _parents(path: str) -> Iterator[str]:
    end = path.find("/")
    while end > 0:
        yield path[:end]
        end = path.find("/", end + 1)


def _ignored(path: str) -> Rejected:
    return Rejected(path, "ignored", "hidden or left by an operating system")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
