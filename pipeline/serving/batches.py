"""The images of folders, and the model's answers in batches; the next batch is read while the model works on one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from components.image_example_gen.sources.listing import list_folder
from components.image_example_gen.sources.shards import is_image_name
from pipeline.serving.classifier import Answer, Classifier, read_for_model

BATCH_IMAGES, BATCH_BYTES = 32, 64 << 20  # whichever is full first
THREADS = 4  # Pillow and the disk work beside each other


@dataclass(frozen=True)
class ImageOnDisk:
    """A file to ask the model about; `problem` says why it cannot be read, "" if that is not known yet."""

    path: str
    size: int = 0
    problem: str = ""


def find_images(paths: Iterable[str]) -> tuple[list[ImageOnDisk], int]:
    """Returns the images among `paths` and in the folders among them, and how many other files lie in the folders.

    A file without an extension may be an image; one that is called notes.txt is none, and is only counted.
    """
    found: list[ImageOnDisk] = []
    others = 0
    for path in paths:
        if not Path(path).is_dir():
            found.append(ImageOnDisk(path))
            continue
        listing = list_folder(path)
        for entry in listing.files:
            if is_image_name(entry.path) or "." not in entry.path.rpartition("/")[2]:
                found.append(ImageOnDisk(str(Path(path, entry.path)), entry.size))
            else:
                others += 1
        unreadable = [line for line in listing.rejected if line.reason != "ignored"]
        found += [ImageOnDisk(str(Path(path, line.path)), problem=line.message) for line in unreadable]
        others += len(listing.rejected) - len(unreadable)
    return found, others


def answer_all(
    load: Callable[[], Classifier], images: Sequence[ImageOnDisk], max_pixels: int
) -> Iterator[list[tuple[str, Answer | str]]]:
    """Yields (path, answer or the reason why there is none) of all images, in their order, a batch at a time.

    Args:
      load: is called before the first answer, so that a mistyped name is reported at once.
      images: see `find_images`.
      max_pixels: of an image.
    """
    classifier: Classifier | None = None
    with ThreadPoolExecutor(THREADS) as pool:

        def read(image: ImageOnDisk) -> Future[bytes | str]:
            return pool.submit(_read, image, max_pixels)

        batches = _batches(images)
        following = [(image, read(image)) for image in next(batches, [])]
        while following:
            batch = [(image, content.result()) for image, content in following]
            following = [(image, read(image)) for image in next(batches, [])]
            good = [content for _, content in batch if isinstance(content, bytes)]
            if good and classifier is None:
                classifier = load()
            answers = iter(classifier.answer(good) if classifier and good else [])
            yield [(image.path, next(answers) if isinstance(content, bytes) else content) for image, content in batch]


def _batches(images: Sequence[ImageOnDisk]) -> Iterator[list[ImageOnDisk]]:
    batch: list[ImageOnDisk] = []
    size = 0
    for image in images:
        if batch and (len(batch) == BATCH_IMAGES or size + image.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += image.size
    if batch:
        yield batch


def _read(image: ImageOnDisk, max_pixels: int) -> bytes | str:
    return image.problem or read_for_model(image.path, max_pixels)
