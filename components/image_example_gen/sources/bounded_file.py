"""A file from which no more is ever asked for than it has.

Shards state the lengths of what is in them. A reader that believes one of 2^62 bytes would ask for that much memory
before it learned that the file ends.
"""

import io
from typing import BinaryIO, cast


class BoundedFile:
    """Reads, seeks and tells as the file that it wraps."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def read(self, size: int | None = None) -> bytes:
        """Returns at most so many bytes; all that follow for None.

        Raises:
            OSError: for fewer than none, which a damaged header may state.
        """
        left = max(self.size - self.tell(), 0)
        if size is not None and size < 0:
            raise OSError(f"a damaged header states {size:,} bytes")
        return self._file.read(left if size is None else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves within the file; a place behind its end is its end.

        Raises:
            OSError: for a place before its beginning.
        """
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.size}[whence]
        if place < 0:
            raise OSError(f"a damaged header leads to byte {place:,}")
        return self._file.seek(min(place, self.size))

    def tell(self) -> int:
        """Returns the place of the next byte."""
        return self._file.tell()


def bounded(file: BinaryIO) -> BinaryIO:
    """Returns the file, wrapped."""
    return cast(BinaryIO, BoundedFile(file))
