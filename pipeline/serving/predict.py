"""What a pushed model says of images: loads the SavedModel and sends raw bytes through its served signature."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.common.model_info import read_model_info
from components.image_example_gen.images.codec import ImageError, normalise_image
from components.served_model.versions import served_path
from pipeline.config.model import PipelineConfig


class NothingServed(RuntimeError):
    """No model has been pushed yet."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, or the reason why there is none."""

    path: str
    class_name: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] | None = None
    error: str | None = None


def served_model_path(config: PipelineConfig) -> str:
    """The folder of the version that is served now.

    Raises:
      NothingServed: there is none.
    """
    served = served_path(config.push_path)
    if not served:
        raise NothingServed(f"no model is served from {config.push_path}; run `effnet run` first")
    return served


def predict(config: PipelineConfig, paths: Iterable[str]) -> list[Prediction]:
    """Classifies each image; one that cannot be read becomes a prediction with an `error`."""
    model_path = served_model_path(config)
    read = [(path, _read(path, config.data.max_pixels)) for path in paths]
    if not any(isinstance(image, bytes) for _, image in read):  # so that a mistyped name is told at once
        return [Prediction(path, error=str(reason)) for path, reason in read]
    import absl.logging
    import tensorflow as tf

    absl.logging.set_verbosity(absl.logging.ERROR)  # it warns of functions that no signature needs
    model = tf.saved_model.load(model_path)
    classify = model.signatures["serving_default"]
    class_names = read_model_info(model_path)["classes"]
    predictions = []
    for path, image in read:
        if not isinstance(image, bytes):
            predictions.append(Prediction(path, error=image))
            continue
        answer = classify(image=tf.constant([image]))
        probabilities = answer["probabilities"][0].numpy()
        predictions.append(
            Prediction(
                path,
                class_name=answer["class_name"][0].numpy().decode(),
                probability=round(float(probabilities.max()), 4),
                probabilities={name: round(float(p), 4) for name, p in zip(class_names, probabilities, strict=True)},
            )
        )
    return predictions


def _read(path: str, max_pixels: int) -> bytes | str:
    """An image's bytes as a model takes them, or why there are none."""
    try:
        return normalise_image(Path(path).read_bytes(), max_pixels).data
    except OSError as error:
        return error.strerror or str(error)
    except ImageError as error:
        return str(error)
