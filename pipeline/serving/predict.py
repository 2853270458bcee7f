"""What a pushed model says of images, by the engine that a server would take."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.common import files
from components.image_example_gen.images.codec import open_image
from components.image_example_gen.images.integrity import ImageError
from components.served_model.versions import pushed_versions
from components.serving_engine.engine import Engine, EngineName, load_engine
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
    versions = pushed_versions(config.push_path)
    if not versions:
        raise NothingServed(f"no model is served from {config.push_path}; run `effnet run` first")
    return files.join(config.push_path, versions[0])


def predict(config: PipelineConfig, paths: Iterable[str], engine: EngineName = "auto") -> list[Prediction]:
    """Classifies each image; one that cannot be read becomes a prediction with an `error`.

    Args:
      config: whose newest pushed version answers.
      paths: of image files.
      engine: see `load_engine`.

    Raises:
      NothingServed: nothing was pushed yet.
      EngineError: no engine can answer for the model.
    """
    model_path = served_model_path(config)
    read = [(path, _read(path, config.data.max_pixels)) for path in paths]
    if not any(isinstance(image, bytes) for _, image in read):  # so that a mistyped name is reported at once
        return [Prediction(path, error=str(reason)) for path, reason in read]
    with tempfile.TemporaryDirectory() as local:
        if files.is_remote(model_path):
            files.bring(model_path, local)
            model_path = local
        loaded = load_engine(model_path, engine, config.data.max_pixels)
    return [
        Prediction(path, error=image) if isinstance(image, str) else _ask(loaded, path, image) for path, image in read
    ]


def _ask(engine: Engine, path: str, image: bytes) -> Prediction:
    try:
        pixels = engine.pixels(image)
    except ImageError as error:
        return Prediction(path, error=str(error))
    (probabilities,) = engine.probabilities(pixels[np.newaxis])
    most = int(probabilities.argmax())
    shares = {name: round(float(p), 4) for name, p in zip(engine.classes, probabilities, strict=True)}
    return Prediction(path, engine.classes[most], round(float(probabilities[most]), 4), shares)


def _read(path: str, max_pixels: int) -> bytes | str:
    """A file's bytes, or why it is no image; only its header is looked at."""
    try:
        data = Path(path).read_bytes()
        open_image(data, max_pixels)
    except OSError as error:
        return error.strerror or str(error)
    except ImageError as error:
        return str(error)
    return data
