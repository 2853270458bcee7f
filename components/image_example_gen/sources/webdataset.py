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
from typing import BinaryIO

from components.common.json_types import Parsed
from components.image_example_gen.sources.listing import Rejected, is_litter
from components.image_example_gen.sources.shards import IMAGE_SUFFIXES, Found, is_image_name

_SIDECAR_BYTES = 1_000_000  # a class is not longer
_JSON_LABELS = ("class_name", "label", "class", "cls")


def index_tar(file: BinaryIO, path: str, shard: str) -> Iterator[Found | Rejected]:
    """Yields what is in a tar, in its order; the arguments are those of `index_shard`."""
    everything: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            everything = archive.getmembers()
            end = archive.offset
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        yield Rejected(path, "truncated", f"the tar is damaged: {error}")
        end = -1
    # Python's reader takes a damaged header for the end.
    if end >= 0 and _read_at(file, end, tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        yield Rejected(
            path, "truncated", f"the tar breaks off or is damaged at byte {end:,}, after {len(everything)} files"
        )
    for member in everything:
        if not member.isfile() and not member.isdir():
            yield Rejected(f"{path}/{_printable(member.name)}", "unreadable", "no regular file of the tar")
    members = [member for member in everything if member.isfile()]
    for key, fields in itertools.groupby(members, lambda member: _key_and_field(member.name)[0]):
        yield from _index_sample(file, path, shard, key, list(fields))


def _index_sample(
    file: BinaryIO, path: str, shard: str, key: str, members: list[tarfile.TarInfo]
) -> Iterator[Found | Rejected]:
    by_field = {_key_and_field(member.name)[1].lower(): member for member in members}
    said = _read_sidecars(file, by_field)
    image = next((member for field, member in by_field.items() if field in IMAGE_SUFFIXES), None)
    for member in members:
        name = f"{path}/{_printable(member.name)}"
        if member is image and member.issparse():
            yield Rejected(name, "unsupported_format", "a sparse file of the tar: pack it anew")
        elif member is image and isinstance(said, str):
            yield Rejected(name, "bad_row", said)
        elif member is image and not isinstance(said, str):
            yield Found(name, shard, member.offset_data, member.size, said["label"], said["split"], said["group"])
        elif is_image_name(member.name) or is_litter(posixpath.basename(member.name)):
            yield Rejected(name, "ignored", f"not the image of the sample {key}")


def _read_sidecars(file: BinaryIO, by_field: Mapping[str, tarfile.TarInfo]) -> dict[str, str] | str:
    """Returns label, split and group of a sample, or what is wrong with them."""
    texts = {
        field: _read_at(file, by_field[field].offset_data, min(by_field[field].size, _SIDECAR_BYTES))
        for field in ("cls", "json")
        if field in by_field
    }
    try:
        notes = json.loads(texts["json"]) if "json" in texts else {}
        label = texts["cls"].decode().strip() if "cls" in texts else _first(notes, _JSON_LABELS)
    except (ValueError, AttributeError) as error:
        return f"its .json or .cls cannot be read: {error}"
    if label in (None, ""):
        return "the sample has neither a .cls nor a .json with a label"
    notes = notes if isinstance(notes, dict) else {}
    return {"label": str(label), "split": str(notes.get("split", "")), "group": str(notes.get("group", ""))}


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


def _first(notes: Parsed, names: tuple[str, ...]) -> Parsed:
    return next((notes[name] for name in names if notes.get(name) is not None), None)
