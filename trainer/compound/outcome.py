"""What came of one training, and where a step leaves it. Without TensorFlow."""

import json
from dataclasses import dataclass

from components.common import files

OUTCOME_FILE = "outcome.json"  # in the `model_run` artifact


@dataclass(frozen=True)
class TrainingResult:
    """What came of one training.

    Args:
      val_accuracy: of the val split, which has the same images at every resolution.
      val_loss: of the same.
      parameters: of the network, as Keras counts.
      macs: multiply-adds of one image.
      latency_ms: for one image, on the device that trained it; None where it was not asked for.
      seconds: that the training took, from its last resumption on: what it had done before a kill is not in it.
      images: trained on.
      val_images: in the val split.
      largest_share: of the val split that its largest class has: the accuracy of always predicting that class.
      constant_loss: on the val split, of the best constant prediction.
      device: that trained it.
    """

    val_accuracy: float
    val_loss: float
    parameters: int
    macs: int
    latency_ms: float | None
    seconds: float
    images: int
    val_images: int
    largest_share: float
    constant_loss: float
    device: str


def outcome_at(model_run: str) -> TrainingResult | None:
    """What `train` has left in the `model_run` artifact that lies there."""
    found = json.loads(files.read_bytes(f"{model_run}/{OUTCOME_FILE}"))
    return found and TrainingResult(**found)
