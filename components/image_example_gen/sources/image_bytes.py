"""Reads the bytes of an image: a file of its own, a piece of a shard, or a member of an archive."""

from components.common import files
from components.image_example_gen.sources.plan import ImageFile
from components.image_example_gen.sources.zip_archive import inflate


def read_image(root: str, file: ImageFile) -> bytes:
    """Returns the bytes of an image below `root`.

    Raises:
        OSError: if it cannot be read.
    """
    if file.shard:
        return inflate(files.read_range(file.shard, file.offset, file.size), file.inflated)
    return files.read_bytes(files.join(root, file.path))


def bytes_of(file: ImageFile) -> int:
    """How many bytes an image has once it is read."""
    return max(file.size, file.inflated)
