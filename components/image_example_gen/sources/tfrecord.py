"""Finds the images within a TFRecord file of tf.Examples."""

import itertools
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import google_crc32c

from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shards import Found

# Names by which tf.Examples are known to call their parts, the first that is there counts; `data.features` overrides.
FEATURES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "image/encoded", "image_raw", "encoded", "jpeg", "jpg", "png"),
    "label": ("class_name", "image/class/text", "label_name", "label", "image/class/label", "class", "cls"),
    "split": ("split",),
    "group": ("group",),
}
# Each record of a TFRecord: its length and the length's checksum, the content and the content's checksum.
_FRAME, _CHECKSUM = struct.Struct("<Q4s"), 4


def index_records(file: BinaryIO, path: str, shard: str, features: Mapping[str, str]) -> Iterator[Found | Rejected]:
    """Yields what is in a TFRecord, in its order; the arguments are those of `index_shard`."""
    names = {part: (features[part],) if features.get(part) else known for part, known in FEATURES.items()}
    position = 0
    for number in itertools.count():
        file.seek(position)
        header = file.read(_FRAME.size)
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


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
