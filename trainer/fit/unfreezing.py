"""How much of the network is fine-tuned after its head: what the images and the time allow."""

import math
from dataclasses import dataclass

from trainer.feature_set import FeatureSet, read_features
from trainer.job import TrainingJob
from trainer.settings import TrainSettings

# A step of training costs an image's forward pass about four times: the backward pass is two more, and the input,
# the optimiser and the evaluation take their part (B0 and Lite0, 224 px, two cores).
PASSES = 4.0
SECONDS_BEFORE = 30.0  # until the whole network's first step has ended
# Below this many images a class the network would learn its few images by heart.
LEAST_IMAGES_PER_CLASS = 10


@dataclass(frozen=True)
class Features:
    """What the frozen network says of the images of both splits."""

    train: FeatureSet
    val: FeatureSet


@dataclass(frozen=True)
class Unfreezing:
    """For how many epochs the network itself is trained, and why not for as many as were asked for; "" if it is."""

    epochs: int
    reason: str = ""


def open_features(job: TrainingJob) -> Features | None:
    """The features of the job's splits; None where no step has computed them.

    Raises:
      NotFeatures: the files are damaged.
    """
    root = job.features_root
    if root is None:
        return None
    train, val = (read_features(f"{root}/Split-{split}", len(job.class_names)) for split in ("train", "val"))
    return Features(train, val)


def decide(settings: TrainSettings, train: FeatureSet, num_classes: int) -> Unfreezing:
    """How much of the network's training the images and `train.minutes` allow."""
    asked = settings.epochs
    if not asked:
        return Unfreezing(0)
    if train.images < LEAST_IMAGES_PER_CLASS * num_classes:
        reason = f"{train.images / num_classes:.0f} images a class, at least {LEAST_IMAGES_PER_CLASS} are needed"
        return Unfreezing(0, reason)
    if settings.minutes is None or math.isnan(train.seconds_per_image):
        return Unfreezing(asked)
    seconds = train.images * train.seconds_per_image * PASSES
    fit = max(int((settings.minutes * 60 - SECONDS_BEFORE) / seconds), 0)
    if fit >= asked:
        return Unfreezing(asked)
    return Unfreezing(fit, f"an epoch takes about {seconds:.0f} s, train.minutes is {settings.minutes:g}")
