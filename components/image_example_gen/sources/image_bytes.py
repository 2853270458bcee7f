"""Reads the bytes of an image: a file of its own, a piece of a shard, or a member of an archive."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from components.common import files
from components.common.s3 import CONNECTIONS
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


class Reader:
    """Reads images in their order; of a storage several at a time, since each answer takes many times its reading."""

    def __init__(self, root: str, most_bytes: int = 64 << 20):
        """Prepares to read images below `root`; at most `most_bytes` are read ahead."""
        self._root = root
        self._most_bytes = most_bytes
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def read(self, images: Sequence[ImageFile]) -> Iterator[tuple[ImageFile, Future[bytes]]]:
        """Yields each image with the answer to come: its `result()` is what `read_image` returns or raises."""
        if not files.is_remote(self._root):
            for image in images:
                yield image, self._read_now(image)
            return
        ahead: deque[tuple[ImageFile, Future[bytes]]] = deque()
        left = self._most_bytes
        for image in images:
            while ahead and (len(ahead) == 2 * CONNECTIONS or image.size > left):
                left += ahead[0][0].size
                yield ahead.popleft()
            left -= image.size
            ahead.append((image, self._threads.submit(read_image, self._root, image)))
        yield from ahead

    def _read_now(self, image: ImageFile) -> Future[bytes]:
        answer: Future[bytes] = Future()
        try:
            answer.set_result(read_image(self._root, image))
        except Exception as error:
            answer.set_exception(error)
        return answer

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(cancel_futures=True)


def bytes_of(file: ImageFile) -> int:
    """How many bytes an image has once it is read."""
    return max(file.size, file.inflated)
