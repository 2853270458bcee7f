"""Finds the images within shards: TFRecords of tf.Example, and tar files as webdataset writes them.

An image stays where it is: the index says in which bytes of which shard it lies, so that later steps read it as they
read a file of its own. A sample of a tar is the files in a row whose names are equal up to the first dot: the image
(0017.jpg), and its class in 0017.cls (a name or a number) or 0017.json ({"label": ..., "split": ..., "group": ...}).
"""

import io
import itertools
import json
import posixpath
import re
import struct
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import google_crc32c

from components.image_example_gen.sources.folders import SPLIT_FOLDERS
from components.image_example_gen.sources.listing import Rejected, is_litter

_SHARD = re.compile(r"\.(tar|tfrecords?)(\.gz)?$|\.tgz$|tfrecord-\d+-of-\d+(\.gz)?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|tgz)$", re.IGNORECASE)
_TAR = re.compile(r"\.(tar(\.gz)?|tgz)$", re.IGNORECASE)
# Of files, and of webdataset's fields.
IMAGE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pnm", "avif", "heic", "heif", "jp2"}
)
_SIDECAR_BYTES = 1_000_000  # a class is not longer
# Names by which tf.Examples are known to call their parts, the first that is there counts; `data.features` overrides.
FEATURES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "image/encoded", "image_raw", "encoded", "jpeg", "jpg", "png"),
    "label": ("class_name", "image/class/text", "label_name", "label", "image/class/label", "class", "cls"),
    "split": ("split",),
    "group": ("group",),
}
_JSON_LABELS = ("class_name", "label", "class", "cls")
# Each record of a TFRecord: its length and the length's checksum, the content and the content's checksum.
_FRAME, _CHECKSUM = struct.Struct("<Q4s"), 4


@dataclass(frozen=True)
class Found:
    """An image within a shard.

    Attributes:
        path: the shard's path and the image's name or number in it.
        shard: the file with its bytes.
        offset: of its first byte there.
        size: bytes.
        label: the class's name, or its number in the configured classes, as it is written.
        split: as it is said in the shard, "" if it is not.
        group: likewise.
        shard_split: the split that the shard's path names, "" if it names none.
    """

    path: str
    shard: str
    offset: int
    size: int
    label: str
    split: str = ""
    group: str = ""
    shard_split: str = ""


def is_shard(path: str) -> bool:
    """Tells by its name whether a file is a shard."""
    return bool(_SHARD.search(path))


def is_packed(path: str) -> bool:
    """Tells by its name whether a shard is compressed as a whole, so that no image can be read by itself."""
    return bool(_PACKED.search(path))


def is_image_name(path: str) -> bool:
    """Tells by its name whether a file should be an image."""
    return path.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def split_of_name(path: str) -> str:
    """Returns the split that a shard's path names, as in val/0.tar or birds-train.tfrecord-00000-of-00010; else ""."""
    named = {SPLIT_FOLDERS[word] for word in re.split(r"[/._-]+", path.lower()) if word in SPLIT_FOLDERS}
    return named.pop() if len(named) == 1 else ""


def index_shard(file: BinaryIO, path: str, shard: str, features: Mapping[str, str]) -> Iterator[Found | Rejected]:
    """Yields what lies in a shard, in its order.

    Args:
        file: the shard, unpacked; it can seek.
        path: its path below the root, for names.
        shard: where `file` lies.
        features: part of an example ("image", "label", "split", "group") -> name of its feature, where it is none of
            `FEATURES`.
    """
    split = split_of_name(path)
    for item in _index_tar(file, path, shard) if _TAR.search(path) else _index_records(file, path, shard, features):
        yield replace(item, shard_split=split) if isinstance(item, Found) else item


def _index_tar(file: BinaryIO, path: str, shard: str) -> Iterator[Found | Rejected]:
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


def _read_sidecars(file: BinaryIO, by_field: Mapping[str, tarfile.TarInfo]) -> dict | str:
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


def _index_records(file: BinaryIO, path: str, shard: str, features: Mapping[str, str]) -> Iterator[Found | Rejected]:
    names = {part: (features[part],) if features.get(part) else known for part, known in FEATURES.items()}
    position = 0
    for number in itertools.count():
        header = _read_at(file, position, _FRAME.size)
        if not header:
            return
        length, checksum = _FRAME.unpack(header) if len(header) == _FRAME.size else (0, b"")
        if _masked_checksum(header[:8]) != checksum:
            yield Rejected(path, "truncated", f"damaged at byte {position:,}, after {number} records")
            return
        record, sum_behind = file.read(length), file.read(_CHECKSUM)
        name = f"{path}/{number}"
        if len(record) < length or _masked_checksum(record) != sum_behind:
            yield Rejected(name, "truncated", "the record is cut short or damaged: wrong checksum")
        else:
            yield _index_example(record, position + _FRAME.size, name, shard, names)
        position += _FRAME.size + length + _CHECKSUM


def _index_example(
    record: bytes, start: int, name: str, shard: str, names: Mapping[str, tuple[str, ...]]
) -> Found | Rejected:
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    try:
        features = example_pb2.Example.FromString(record).features.feature
    except DecodeError:
        return Rejected(name, "bad_row", "the record is no tf.Example")
    values = {}
    for part, known in names.items():
        for feature in (features[feature] for feature in known if feature in features):
            kind = feature.WhichOneof("kind")
            if kind and len(found := getattr(feature, kind).value) == 1:
                values[part] = found[0]
                break
    image, label = values.get("image"), values.get("label")
    if not isinstance(image, bytes) or label is None or isinstance(label, float):
        there = ", ".join(sorted(features)) or "none"
        return Rejected(name, "bad_row", f"no image or no label among the features {there}: name them in data.features")
    split, group = (_text(values.get(part, "")) for part in ("split", "group"))
    # The image's bytes lie in one piece within the record.
    return Found(name, shard, start + record.index(image), len(image), _text(label), split, group)


def _masked_checksum(data: bytes) -> bytes:
    """Returns TFRecord's form of CRC-32C."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


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


def _first(notes: Mapping, names: tuple[str, ...]):
    return next((notes[name] for name in names if notes.get(name) is not None), None)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
