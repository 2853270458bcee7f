"""What is known of a shard by its name, and an image found in one.

An image stays where it is: the index says in which bytes of which shard it is, so that later steps read it as they read
a file of its own.
"""

import re
from dataclasses import dataclass

from components.image_example_gen.sources.folders import SPLIT_FOLDERS

_SHARD = re.compile(r"\.(tar|tfrecords?)(\.gz)?$|\.tgz$|tfrecord-\d+-of-\d+(\.gz)?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|tgz)$", re.IGNORECASE)
_TAR = re.compile(r"\.(tar(\.gz)?|tgz)$", re.IGNORECASE)
# Of files, and of webdataset's fields.
IMAGE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pnm", "avif", "heic", "heif", "jp2"}
)


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


def is_tar(path: str) -> bool:
    """Tells by its name whether a shard is a tar."""
    return bool(_TAR.search(path))


def is_image_name(path: str) -> bool:
    """Tells by its name whether a file should be an image."""
    return path.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def split_of_name(path: str) -> str:
    """Returns the split that a shard's path names, as in val/0.tar or birds-train.tfrecord-00000-of-00010; else ""."""
    named = {SPLIT_FOLDERS[word] for word in re.split(r"[/._-]+", path.lower()) if word in SPLIT_FOLDERS}
    return named.pop() if len(named) == 1 else ""
