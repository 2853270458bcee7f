"""The pushed model in this process: bytes of images in, probabilities out, through its served signature."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.model_info import read_model_info
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.integrity import ImageError

DIGITS = 4  # of a probability that is shown


@dataclass(frozen=True)
class Answer:
    """What the model says of an image: the most likely class, and all probabilities by class in label order."""

    class_name: str
    probabilities: dict[str, float]

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
    """A SavedModel that has been loaded; loading TensorFlow takes seconds."""

    def __init__(self, model_path: str):
        import absl.logging
        import tensorflow as tf

        absl.logging.set_verbosity(absl.logging.ERROR)  # it warns of functions that no signature needs
        self._model = tf.saved_model.load(model_path)  # which would be collected while its signature is used
        self._classify = self._model.signatures["serving_default"]
        self._classes: Sequence[str] = read_model_info(model_path)["classes"]

    def answer(self, images: Sequence[bytes]) -> list[Answer | str]:
        """Returns what the model says of each image, or why it cannot read it.

        Args:
          images: encoded, as `read_for_model` returns them.
        """
        import tensorflow as tf

        try:
            answers = self._classify(image=tf.constant(list(images)))
        except tf.errors.InvalidArgumentError as error:
            if len(images) == 1:  # one that cannot be decoded costs no other its answer
                return [f"the model cannot read it: {error.message.splitlines()[0]}"]
            return [answer for image in images for answer in self.answer([image])]
        names, rows = answers["class_name"].numpy(), answers["probabilities"].numpy()
        return [self._answer(name, row) for name, row in zip(names, rows, strict=True)]

    def _answer(self, name: bytes, row: Any) -> Answer:
        return Answer(name.decode(), {one: float(value) for one, value in zip(self._classes, row, strict=True)})


def read_for_model(path: str, max_pixels: int) -> bytes | str:
    """Returns an image's bytes as a model takes them, or why there are none."""
    try:
        return normalise_image(Path(path).read_bytes(), max_pixels).data
    except OSError as error:
        return error.strerror or str(error)
    except ImageError as error:
        return str(error)
