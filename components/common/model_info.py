"""What the trainer notes with a model that it exports: classes in label order, variant, image size, rates, seed."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from components.common import files

# TensorFlow Serving leaves assets.extra alone; clients and the next run read it.
MODEL_INFO = "assets.extra/model.json"
KNOWN_THRESHOLD = "known.threshold"  # of a model with serving.known_precision
EXPECTED_ANSWERS = "assets.extra/expected_answers.json"  # the trainer's own, see serving_check


class ModelInfo(TypedDict, total=False):
    """The parts of the note that programs read by name; the others are to be looked at."""

    classes: list[str]  # in label order
    variant: str
    image_size: int  # pixels a side
    seed: int


def known_threshold(info: ModelInfo) -> float | None:
    """Returns the least probability of a known answer; None if the model does not say what it knows."""
    noted: dict[str, Any] = dict(info)  # as JSON has it
    threshold: float | None = noted.get(KNOWN_THRESHOLD)
    return threshold


def write_model_info(saved_model: str, info: Mapping[str, object]) -> None:
    """Adds `info` to a SavedModel in a local or remote folder."""
    files.write_text(files.join(saved_model, MODEL_INFO), json.dumps(info, indent=2, ensure_ascii=False))


def read_model_info(saved_model: str) -> ModelInfo:
    """Returns the note, `classes` in label order among it; an empty one if another program exported the model."""
    path = files.join(saved_model, MODEL_INFO)
    info: ModelInfo = json.loads(files.read_bytes(path)) if files.exists(path) else {}
    return info
