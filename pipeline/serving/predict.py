"""What a pushed model says of images, by the engine that a server would take."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.serving_engine.engine import EngineName
from pipeline.config.model import PipelineConfig
from pipeline.serving.batches import ImageOnDisk, answer_all
from pipeline.serving.classifier import DIGITS, Answer, Classifier
from pipeline.serving.served import served_model_path


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, or the reason why there is none; `known` is None where the model does not say."""

    path: str
    class_name: str | None = None
    probability: float | None = None
    known: bool | None = None
    probabilities: dict[str, float] | None = None
    error: str | None = None


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
    max_pixels = config.data.max_pixels
    images = [ImageOnDisk(path) for path in paths]
    batches = answer_all(lambda: Classifier(model_path, max_pixels, engine), images, max_pixels)
    return [make_prediction(path, answer) for batch in batches for path, answer in batch]


def make_prediction(path: str, answer: Answer | str) -> Prediction:
    """Puts an answer, or the reason why there is none, into the form that `--json` has."""
    if isinstance(answer, str):
        return Prediction(path, error=answer)
    probabilities = {name: round(value, DIGITS) for name, value in answer.probabilities.items()}
    return Prediction(path, answer.class_name, round(answer.probability, DIGITS), answer.known, probabilities)
