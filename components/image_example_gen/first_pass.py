"""The first pass of the ingest: reads and checks every file and notes what is known of it, but keeps no pixels."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError

from components.common.beam_types import Emitted, Tagged
from components.common.errors import StorageError
from components.common.events import report_progress
from components.image_example_gen.balance import IN, OUT, REJECTED, SURVEY
from components.image_example_gen.images.codec import NormalisedImage, normalise_image
from components.image_example_gen.images.damage import ImageError, check_size
from components.image_example_gen.sources.image_bytes import Reader, bytes_of
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.plan import ImageFile

PROGRESS_SECONDS = 2.0


@dataclass(frozen=True)
class Surveyed:
    """A file that holds a good image.

    Attributes:
        file: where it is and what it shows.
        sha256: of its bytes, 64 hex digits.
        image: what is known of the image, with empty `data`.
    """

    file: ImageFile
    sha256: str
    image: NormalisedImage


def report_ingest(done: int, total: int, rate: float) -> None:
    """Reports how many images were read, and how many a second."""
    report_progress(f"ingest: {done}/{total} images, {rate:,.0f} images/s", done, total)


class FirstPassProgress:
    """Logs how far this worker is, at most every two seconds."""

    def __init__(self, total: int):
        self._total = total
        self._done = 0
        self._started = self._last = time.monotonic()

    def step(self) -> None:
        """Counts one image."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS:
            self._last = now
            rate = self._done / (now - self._started)
            report_ingest(self._done, self._total, rate)


class Survey(beam.DoFn):
    """Reads and checks files, given in lists that are read ahead.

    Outputs: a `Surveyed`, or a `Rejected` to "quarantine"; counters to "counts".
    """

    def __init__(self, root: str, max_pixels: int, total: int):
        self._root = root
        self._max_pixels = max_pixels
        self._total = total

    def setup(self) -> None:
        """Starts this worker's clock and its threads."""
        self._progress = FirstPassProgress(self._total)
        self._reader = Reader(self._root)

    def teardown(self) -> None:
        """Ends the threads."""
        self._reader.close()

    def process(self, listed: Sequence[ImageFile]) -> Iterator[Emitted]:
        """Yields the outputs for a list of files."""
        small = []
        for file in listed:
            yield count(IN, SURVEY)
            try:
                check_size(bytes_of(file), self._max_pixels)
            except ImageError as error:
                yield from reject(SURVEY, file, error.reason, str(error))
                self._progress.step()
            else:
                small.append(file)
        for file, answer in self._reader.read(small):
            yield from self._survey(file, answer)
            self._progress.step()

    def _survey(self, file: ImageFile, answer: Future[bytes]) -> Iterator[Emitted]:
        try:
            data = answer.result()
            image = normalise_image(data, self._max_pixels)
        except StorageError:
            raise  # of which this image knows nothing
        except ImageError as error:
            yield from reject(SURVEY, file, error.reason, str(error))
        except (OSError, BeamIOError) as error:
            yield from reject(SURVEY, file, "unreadable", getattr(error, "strerror", None) or str(error))
        else:
            yield count(OUT, SURVEY)
            yield Surveyed(file, hashlib.sha256(data).hexdigest(), replace(image, data=b""))


def count(*names: str) -> Tagged:
    """Returns an element of "counts"."""
    return beam.pvalue.TaggedOutput("counts", names)


def reject(step: str, file: ImageFile, reason: str, message: str) -> Iterator[Tagged]:
    """Yields a file's line of the quarantine and its counter."""
    yield beam.pvalue.TaggedOutput("quarantine", Rejected(file.path, reason, message))
    yield count(REJECTED, step, reason)
