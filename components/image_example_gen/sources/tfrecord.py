"""Finds the images within a TFRecord file of tf.Examples."""

import itertools
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shards import Found, masked_checksum
from components.image_example_gen.sources.split_names import says_unlabelled, split_of_name

# Names by which tf.Examples are known to call their parts, the first that is there counts; `data.features` overrides.
FEATURES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "image/encoded", "image_raw", "encoded", "jpeg", "jpg", "png"),
    "label": (
        "class_name",
        "image/class/text",
        "label_name",
        "label",
        "image/class/label",
        "class",
        "cls",
        "target",
        "category",
        "breed",
        "species",
        "diagnosis",
        "choice",
    ),
    "split": ("split",),
    "group": ("group",),
}
# Each record of a TFRecord: its length and the length's checksum, the content and the content's checksum.
_FRAME, _CHECKSUM = struct.Struct("<Q4s"), 4
SHOWN = 8  # features in a message


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
        if masked_checksum(header[:8]) != checksum:
            yield Rejected(path, "truncated", f"damaged at byte {position:,}, after {number} records")
            return
        record, sum_behind = file.read(length), file.read(_CHECKSUM)
        name = f"{path}/{number}"
        if len(record) < length or masked_checksum(record) != sum_behind:
            yield Rejected(name, "truncated", f"the record of {length:,} bytes is cut short or damaged")
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
    held = {feature: _values(features[feature]) for feature in features}
    values = {}
    for part, known in names.items():
        single = (held[feature][0] for feature in known if len(held.get(feature, ())) == 1)
        values[part] = next(single, None)
    image, label = values["image"], values["label"]
    if not isinstance(image, bytes) or label is None or isinstance(label, float):
        return _problem(name, held, names, isinstance(image, bytes))
    split, group = ("" if values[part] is None else _text(values[part]) for part in ("split", "group"))
    # The image's bytes lie in one piece within the record.
    return Found(name, shard, start + record.index(image), len(image), _text(label), split, group)


def _problem(name: str, held: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], has_image: bool) -> Rejected:
    """Says what a record holds, and what was expected instead."""
    shown = ", ".join(f"{feature} ({_kind(values)})" for feature, values in sorted(held.items())[:SHOWN]) or "none"
    labels = [feature for feature in names["label"] if held.get(feature)]
    if has_image and not labels and (split_of_name(name) == "eval" or says_unlabelled(name)):
        return Rejected(name, "unlabelled", "the record has an image and no label")
    if has_image and labels and len(several := held[labels[0]]) > 1:
        kind = "multi_label" if isinstance(several[0], bytes) else "bad_row"
        message = f"{labels[0]} holds several labels or a one-hot vector, expected one name or number; got {shown}"
        return Rejected(name, kind, message)
    missing = "a label (one name or number)" if has_image else "an image (its encoded bytes) and a label"
    return Rejected(
        name, "bad_row", f"got the features {shown}, expected {missing} among them: name it in data.features"
    )


def _values(feature: Any) -> Any:
    kind = feature.WhichOneof("kind")
    return getattr(feature, kind).value if kind else ()


def _kind(values: Any) -> str:
    return f"{len(values)} {type(values[0]).__name__}" if len(values) else "empty"


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
