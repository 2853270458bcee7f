"""The trainer's own answers, which travel with the exported model."""

import base64
import json
from dataclasses import dataclass

from components.common import files
from components.common.model_info import EXPECTED_ANSWERS


@dataclass(frozen=True)
class ExpectedAnswers:
    """Encoded images, and the probabilities that the network gave them in the training process."""

    images: list[bytes]
    probabilities: list[list[float]]


def read_expected(saved_model: str) -> ExpectedAnswers | None:
    """Returns the answers that the trainer left; None if it left none."""
    path = files.join(saved_model, EXPECTED_ANSWERS)
    if not files.exists(path):
        return None
    content = json.loads(files.read_bytes(path))
    return ExpectedAnswers([base64.b64decode(image) for image in content["images"]], content["probabilities"])
