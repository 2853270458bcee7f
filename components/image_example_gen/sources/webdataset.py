"""Finds the images within a tar file, as webdataset writes them.

A sample is the files in a row whose names are equal up to the first dot: the image (0017.jpg), and its class in
0017.cls (a name or a number) or 0017.json ({"label": ..., "split": ..., "group": ...}).
"""

import io
import itertools
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from components.image_example_gen.sources.columns import LABEL_COLUMNS
from components.image_example_gen.sources.listing import Rejected, is_litter
from components.image_example_gen.sources.shards import IMAGE_SUFFIXES, Found, is_image_name
from components.image_example_gen.sources.values import NoText, SeveralValues, plain_text

_SIDECAR_BYTES = 1_000_000  # a class is not longer
_JSON_LABELS = (*LABEL_COLUMNS, "cls")
_DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, MemoryError, RecursionError)


class _Note(NamedTuple):
    """What is said of a sample beside its image, or why it cannot be taken."""

    label: str = ""
    split: str = ""
    group: str = ""
    reason: str = ""
    problem: str = ""


def index_tar(file: BinaryIO, path: str, shard: str) -> Iterator[Found | Rejected]:
    """Yields what is in a tar, in its order; the arguments are those of `index_shard`."""
    everything: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            # Not getmembers(): a header with a negative size would lead it back and forth for ever (CVE-2025-8194).
            last = -1
            while (member := archive.next()) is not None:
                if member.offset <= last or member.size < 0:
                    raise tarfile.ReadError(f"the header at byte {member.offset:,} is damaged")
                last = member.offset
                everything.append(member)
            end = archive.offset
    except _DAMAGE as error:
        yield Rejected(path, "truncated", f"the tar is damaged: {error or type(error).__name__}")
        end = -1
    # Python's reader takes a damaged header for the end.
    if end >= 0 and _read_at(file, end, tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        yield Rejected(
            path, "truncated", f"the tar breaks off or is damaged at byte {end:,}, after {len(everything)} files"
        )
    members = []
    for member in everything:
        name = f"{path}/{_printable(member.name)}"
        if _is_litter(member.name):
            if member.isfile():
                yield Rejected(name, "ignored", "hidden or left by an operating system")
        elif member.isfile():
            members.append(member)
        elif not member.isdir():
            yield Rejected(name, "unreadable", "no regular file of the tar")
    for key, fields in itertools.groupby(members, lambda member: _key_and_field(member.name)[0]):
        yield from _index_sample(file, path, shard, key, list(fields))


def _index_sample(
    file: BinaryIO, path: str, shard: str, key: str, members: list[tarfile.TarInfo]
) -> Iterator[Found | Rejected]:
    by_field = {_key_and_field(member.name)[1].lower(): member for member in members}
    note = _read_sidecars(file, by_field, in_folder=bool(posixpath.dirname(posixpath.normpath(key))))
    image = next((member for field, member in by_field.items() if field in IMAGE_SUFFIXES), None)
    for member in members:
        name = f"{path}/{_printable(member.name)}"
        if member is image and member.issparse():
            yield Rejected(name, "unsupported_format", "a sparse file of the tar: pack it anew")
        elif member is image and note.problem:
            yield Rejected(name, note.reason, note.problem)
        elif member is image:
            yield Found(name, shard, member.offset_data, member.size, note.label, note.split, note.group)
        elif is_image_name(member.name):
            yield Rejected(name, "ignored", f"not the image of the sample {key}")


def _read_sidecars(file: BinaryIO, by_field: Mapping[str, tarfile.TarInfo], in_folder: bool) -> _Note:
    """Returns what the files beside an image say of it."""
    texts = {
        field: _read_at(file, by_field[field].offset_data, min(by_field[field].size, _SIDECAR_BYTES))
        for field in ("cls", "json")
        if field in by_field
    }
    try:
        notes: Any = json.loads(texts["json"]) if "json" in texts else {}
        notes = notes if isinstance(notes, dict) else {}
        said = {name: plain_text(notes.get(name)) for name in ("split", "group")}
        if "cls" in texts:
            label = texts["cls"].decode().strip()
        else:
            label = next((text for name in _JSON_LABELS if (text := plain_text(notes.get(name)))), "")
    except SeveralValues as error:
        return _Note(reason="multi_label", problem=f"{error}, expected one for each image")
    except NoText as error:
        return _Note(reason="bad_row", problem=f"its .json: {error}")
    except (ValueError, RecursionError) as error:
        return _Note(reason="bad_row", problem=f"its .json or .cls cannot be read: {error}")
    if not label:
        problem = "the sample has neither a .cls nor a .json with a label"
        return _Note(reason="bad_row", problem=f"{problem}; unpack a tar of class folders" if in_folder else problem)
    return _Note(label, **said)


def _is_litter(name: str) -> bool:
    return any(is_litter(part) for part in name.split("/") if part not in ("", ".", ".."))


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset, io.SEEK_SET)
    return file.read(size)


def _key_and_field(name: str) -> tuple[str, str]:
    folder, base = posixpath.split(name)
    key, _, field = base.partition(".")
    return posixpath.join(folder, key), field


def _printable(name: str) -> str:
    """Returns a name whose bytes are not UTF-8 with their numbers in it."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
