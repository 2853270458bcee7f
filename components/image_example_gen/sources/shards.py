"""What is known of a shard by its name and its first bytes, and an image found in one.

An image stays where it is: the index says in which bytes of which shard it is, so that later steps read it as they read
a file of its own.
"""

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

_SHARD = re.compile(
    r"\.(tar|tfrecords?|tfrecs?|records?)(\.gz)?$|\.tgz$|\.parquet$|[-_.]\d+-of-\d+(\.gz)?$", re.IGNORECASE
)
_TAR = re.compile(r"\.(tar(\.gz)?|tgz)$", re.IGNORECASE)
# Of files, and of webdataset's fields.
IMAGE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pnm", "avif", "heic", "heif", "jp2"}
)
GZIP, TAR, TFRECORD, PARQUET = "gzip", "tar", "tfrecord", "parquet"
_HEAD_BYTES = 512  # a tar's first block
# What is never taken for a shard, whatever it begins with, so that it need not be opened.
_TEXT = re.compile(r"\.(txt|md|rst|html?|json|jsonl|csv|tsv|xml|ya?ml|pbtxt|py|ipynb|pdf|log|zip)$", re.IGNORECASE)


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


def may_be_shard(path: str) -> bool:
    """Tells whether a file whose name says nothing is worth a look into it."""
    return not is_image_name(path) and not _TEXT.search(path)


def is_image_name(path: str) -> bool:
    """Tells by its name whether a file should be an image."""
    return path.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def kind_of(file: BinaryIO, path: str = "") -> str:
    """Returns what a file is by its first bytes, or by its name where those are damaged; "" if it is no shard.

    The file is then at its first byte.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(b"PAR1"):
        return PARQUET
    if head[257:262] == b"ustar":
        return TAR
    if len(head) >= 12 and masked_checksum(head[:8]) == head[8:12]:
        return TFRECORD
    if _TAR.search(path):
        return TAR
    if path.lower().endswith(".parquet"):
        return PARQUET
    return TFRECORD if is_shard(path) else ""


def masked_checksum(data: bytes) -> bytes:
    """Returns TFRecord's form of CRC-32C."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
