"""What a pushed model says of images, by the engine that a server would take."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.served_model.versions import served_path
from components.serving_engine.engine import EngineName
from pipeline.config.model import PipelineConfig
from pipeline.serving.classifier import DIGITS, Answer, Classifier, read_for_model


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
    read = [(path, read_for_model(path, config.data.max_pixels)) for path in paths]
    if not any(isinstance(image, bytes) for _, image in read):  # so that a mistyped name is told at once
        return [Prediction(path, error=str(reason)) for path, reason in read]
    classifier = Classifier(model_path, config.data.max_pixels, engine)
    return [
        make_prediction(path, classifier.answer([image])[0] if isinstance(image, bytes) else image)
        for path, image in read
    ]


def make_prediction(path: str, answer: Answer | str) -> Prediction:
    """Puts an answer, or the reason why there is none, into the form that `--json` has."""
    if isinstance(answer, str):
        return Prediction(path, error=answer)
    probabilities = {name: round(value, DIGITS) for name, value in answer.probabilities.items()}
    return Prediction(path, answer.class_name, round(answer.probability, DIGITS), probabilities)
