"""Finds the file that a label file means: other spellings of a path, names without extension, other tools' addresses.

Only files that were listed are ever found, so that no name can lead out of the folder.
"""

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, unquote, urlsplit

from components.image_example_gen.sources.shards import is_image_name
from components.image_example_gen.sources.split_names import split_of_name

# Label Studio: files of a folder that it was given, and uploaded ones, with eight hex digits before the name.
_LOCAL_FILES, _UPLOAD = "/data/local-files/", re.compile(r"/data/upload/")
_UPLOADED_AS = re.compile(r"^[0-9a-f]{8}-")


@dataclass(frozen=True)
class NoFile:
    """Why a name leads to no file: a stable reason, and a line for a person."""

    reason: str
    message: str


_MISSING = NoFile("missing", "the label file names it, but there is no such file")
_OUTSIDE = NoFile("outside_root", "the path leaves the folder: name files below it")


class FileNames:
    """The files of a folder, by what they may be called in a label file."""

    def __init__(self, root: str, paths: Iterable[str]):
        """Takes the files.

        Args:
            root: the folder, for absolute paths.
            paths: of the files, relative to it.
        """
        self._roots = {root.rstrip("/"), os.path.realpath(root)} if "://" not in root else {root.rstrip("/")}
        self._paths = list(paths)

    def find(self, name: str, base: str = "", hint: str = "") -> str | NoFile:
        """Returns the path of the file that `name` means, or why there is none.

        Args:
            name: as the label file has it.
            base: the label file's own folder, relative to the root; "" for the root itself.
            hint: of files of one name in several folders, those are meant whose folder is called so (train for
                train.csv), or names the same split (train for trainLabels.csv).
        """
        if usual := self._exact.get(f"{base}/{name}" if base else name):
            return usual
        if (foreign := _foreign(name)) is not None:
            return self._by_suffix(foreign, hint)
        if own := next((root for root in self._roots if name.startswith(f"{root}/")), None):
            name, base = name[len(own) + 1 :], ""
        elif name.startswith(("/", "\\")) or "://" in name or re.match(r"[A-Za-z]:[\\/]", name):
            return _OUTSIDE
        if _form(name) not in self._exact and "\\" in name:
            name = name.replace("\\", "/")
        for folder in dict.fromkeys((base, "")):
            path = posixpath.normpath(posixpath.join(folder, name))
            if path == ".." or path.startswith("../"):
                return _OUTSIDE
            if found := self._exactly(path):
                return found
        return self._anywhere(posixpath.normpath(name), hint)

    @cached_property
    def _exact(self) -> dict[str, str]:
        exact = {path: path for path in self._paths}
        for path in self._paths:
            if not path.isascii():
                exact.setdefault(_form(path), path)
        return exact

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        """Path without extension -> images."""
        stems = defaultdict(list)
        for path in self._paths:
            if is_image_name(path):
                stems[_form(posixpath.splitext(path)[0])].append(path)
        return stems

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        """Path in any case -> files: those of a disk that makes no difference between IMG.JPG and img.jpg."""
        folded = defaultdict(list)
        for path in self._paths:
            folded[_folded(path)].append(path)
        return folded

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """File name, with and without extension -> images."""
        names = defaultdict(list)
        for path in self._paths:
            if is_image_name(path):
                name = _form(posixpath.basename(path))
                for called in {name, posixpath.splitext(name)[0]}:
                    names[called].append(path)
        return names

    def _exactly(self, path: str) -> str | NoFile | None:
        if found := self._exact.get(path) or self._exact.get(_form(path)):
            return found
        return _only(self._stems.get(_form(path), ()), path) or _only(self._folded.get(_folded(path), ()), path)

    def _anywhere(self, path: str, hint: str) -> str | NoFile:
        """Finds a file by the end of its path, if only one ends so."""
        wanted = _form(path)
        ends = [
            one
            for one in self._names.get(wanted.rpartition("/")[2], ())
            if f"/{_form(one)}".endswith(f"/{wanted}") or f"/{_form(posixpath.splitext(one)[0])}".endswith(f"/{wanted}")
        ]
        return _only(_meant(ends, hint) if hint else ends, path) or _MISSING

    def _by_suffix(self, address: str, hint: str) -> str | NoFile:
        """Finds a file by as much of the end of its path in another place as is the same here."""
        parts = [part for part in address.split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):
            for path in dict.fromkeys(("/".join(parts[start:]), "/".join([*parts[start:-1], _original(parts[-1])]))):
                found = self._exactly(path) or self._anywhere(path, hint)
                if found is not _MISSING:
                    return found
        return _MISSING


def _foreign(name: str) -> str | None:
    """Returns the path within an address of Label Studio's, None for other names."""
    if not name.startswith(("http://", "https://", "/data/")):
        return None
    try:
        address = urlsplit(name)
    except ValueError:
        return None
    if address.path == _LOCAL_FILES and (paths := parse_qs(address.query).get("d")):
        return paths[0]
    return unquote(address.path.rpartition("/")[2]) if _UPLOAD.search(address.path) else None


def _original(name: str) -> str:
    """Returns a file's name without the digits that an upload puts before it."""
    return _UPLOADED_AS.sub("", name)


def _meant(paths: list[str], hint: str) -> list[str]:
    """Returns those of several files that a label file means by its own name; all if it says nothing of them."""
    if len(paths) < 2:
        return paths
    folders = {path: posixpath.dirname(path) for path in paths}
    called = [path for path, folder in folders.items() if _folded(hint) in _folded(folder).split("/")]
    split = split_of_name(hint)
    return called or [path for path, folder in folders.items() if split and split_of_name(folder) == split] or paths


def _only(paths: Iterable[str], name: str) -> str | NoFile | None:
    found = list(paths)
    if len(found) > 1:
        return NoFile("ambiguous", f"{len(found)} files may be meant by {name}, such as {found[0]} and {found[1]}")
    return found[0] if found else None


def _form(path: str) -> str:
    """Returns a path in the one Unicode form that all are compared in: disks and label files differ."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _folded(path: str) -> str:
    """Returns a path in which case makes no difference either."""
    return _form(path).casefold()
