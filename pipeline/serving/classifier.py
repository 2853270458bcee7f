"""The pushed model in this process: bytes of images in, probabilities out, by the engine that a server would take."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common import files
from components.image_example_gen.images.codec import open_image
from components.image_example_gen.images.damage import ImageError, check_size, most_bytes
from components.serving_engine.engine import EngineName, is_known, load_engine, usable_cores
from components.serving_engine.pixels import Pixels
from pipeline.serving.model_cache import local_copy

DIGITS = 4  # of a probability that is shown


@dataclass(frozen=True)
class Answer:
    """What the model says of an image.

    Attributes:
      class_name: of the most likely class.
      probabilities: by class, in label order.
      known: whether the model knows what it sees (serving.known_precision); None if it does not say.
    """

    class_name: str
    probabilities: dict[str, float]
    known: bool | None = None

    @property
    def probability(self) -> float:
        """Of the most likely class."""
        return max(self.probabilities.values())

    @property
    def second(self) -> tuple[str, float]:
        """The next most likely class, and its probability."""
        others = ((name, value) for name, value in self.probabilities.items() if name != self.class_name)
        return max(others, key=lambda item: item[1])


class Classifier:
    """A pushed model that has been loaded.

    By ONNX Runtime where that was proven, else by TensorFlow, which takes seconds.

    Args:
      model_path: the folder of its version, local or remote.
      max_pixels: of an image.
      engine: see `load_engine`.

    Raises:
      EngineError: no engine can answer for the model.
    """

    def __init__(self, model_path: str, max_pixels: int, engine: EngineName = "auto"):
        self._engine = load_engine(local_copy(model_path), engine, max_pixels)

    def answer(self, images: Sequence[bytes]) -> list[Answer | str]:
        """Returns what the model says of each image, or why it cannot be read.

        Args:
          images: encoded.
        """
        with ThreadPoolExecutor(usable_cores()) as pool:
            decoded = list(pool.map(self._decode, images))
        good = [pixels for pixels in decoded if not isinstance(pixels, str)]
        rows = iter(self._engine.probabilities(np.stack(good)) if good else ())
        return [pixels if isinstance(pixels, str) else self._name(next(rows)) for pixels in decoded]

    def _decode(self, image: bytes) -> Pixels | str:
        try:
            return self._engine.pixels(image)
        except ImageError as error:
            return str(error)

    def _name(self, row: NDArray[np.float32]) -> Answer:
        threshold = self._engine.known_threshold
        known = None if threshold is None else bool(is_known(row[np.newaxis], threshold)[0])
        by_class = dict(zip(self._engine.classes, row.tolist(), strict=True))
        return Answer(self._engine.classes[row.argmax()], by_class, known)


def read_for_model(path: str, max_pixels: int) -> bytes | str:
    """Returns a file's bytes, or why it is no image; only its size and its header are looked at."""
    try:
        if not files.is_remote(path):
            check_size(Path(path).stat().st_size, max_pixels)
        with files.open_binary(path) as file:
            data = file.read(most_bytes(max_pixels) + 1)  # a pipe does not tell how many it has
        check_size(len(data), max_pixels)
        open_image(data, max_pixels)
    except OSError as error:
        return error.strerror or str(error)
    except ImageError as error:
        return str(error)
    return data
