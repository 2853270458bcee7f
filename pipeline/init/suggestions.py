"""Settings that suit a folder of images, why, and how long a run takes. Rules of thumb, each with its reason."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config.edit import Scalar
from pipeline.init.survey import FolderSurvey

# Training, images/s of B0 at 224 pixels on one CPU core, half of what two cores reach: 12 to 18 with this network's
# kernels (benchmarks/train_step.py). Fixed costs make small images more expensive than their pixels.
CPU_RATE, REFERENCE_SIZE, RATE_EXPONENT = 8.0, 224, 1.8
FIXED_SECONDS = 150  # loading, tracing, evaluation, checks
INGEST_RATE = 100.0  # images/s through ingest, statistics and Transform together, on a CPU
INFERENCE_SHARE = 1 / 3  # of a training step's time
PHOTO_SIDE = 96  # pixels; smaller images are likely symbols, which mirroring changes
MOST_CPU_SIZE = 128  # pixels: on a CPU the time grows with the square of the side
TRAINING_STEPS = 1500  # fewest for a network trained from scratch
LEAST_EPOCHS, MOST_EPOCHS = 6, 40
BATCH = 32
IMBALANCE = 5.0  # images of the largest over those of the smallest class
TUNER_TRIALS, TUNER_SHARE = 3, 0.6  # of one epoch each, of this share of the train split


@dataclass(frozen=True)
class Suggestion:
    """A setting of pipeline.yaml and the reason for it."""

    key: str
    value: Scalar
    reason: str


def suggest(found: FolderSurvey, gpu: bool, pretrained: bool) -> list[Suggestion]:
    """Settings other than the shipped ones.

    Args:
      found: the folder.
      gpu: whether the machine has one.
      pretrained: whether published weights are to be started from.
    """
    side, *_ = found.shorter_sides
    photos = side >= PHOTO_SIDE
    size = _image_size(side, gpu)
    train = found.images * (1.0 if found.given_splits else 0.75)
    majority = max(found.classes.values()) / found.images
    smallest = min(found.classes.values())
    suggestions = [
        Suggestion("model.variant", "b0", "the smallest network; try b2 on a GPU once this one runs"),
        Suggestion("model.image_size", size, _size_reason(side, size, gpu)),
        Suggestion(
            "transform.resize",
            "crop" if photos else "squash",
            "photos: the centre, with its proportions" if photos else "small pictures: everything is kept",
        ),
        Suggestion(
            "train.augment.horizontal_flip",
            photos,
            "a mirrored photo shows the same; set false if left and right matter"
            if photos
            else "small pictures may be symbols, which mirroring changes",
        ),
    ]
    if pretrained:
        suggestions += [
            Suggestion("model.weights", "imagenet", "published weights learn from few images"),
            Suggestion("train.recipe", "finetune", "made for published weights"),
            Suggestion("train.epochs", 10, "published weights need few epochs"),
        ]
    else:
        wanted = round(TRAINING_STEPS * BATCH / train)
        epochs = min(max(wanted, LEAST_EPOCHS), MOST_EPOCHS)
        reason = f"training from scratch needs about {TRAINING_STEPS:,} steps, and an epoch has {train / BATCH:.0f}"
        if wanted > MOST_EPOCHS:
            reason += f"; {wanted} epochs would take too long, --weights imagenet does better with few images"
        suggestions.append(Suggestion("train.epochs", epochs, reason))
    if found.group_pattern:
        reason = "file names show which images belong together: they stay in one split; set null if they do not"
        suggestions.append(Suggestion("data.group_pattern", found.group_pattern, reason))
    if max(found.classes.values()) / smallest > IMBALANCE:
        reason = f"the largest class has {max(found.classes.values()) / smallest:.0f} times the images of the smallest"
        suggestions.append(Suggestion("train.class_balance", "weights", reason))
    if smallest * 0.6 < 10:
        least = max(int(smallest * 0.5), 1)
        suggestions.append(Suggestion("data.min_images_per_class", least, f"the smallest class has {smallest} images"))
    if found.looked_at and (bad := len(found.problems) / found.looked_at) > 0.05:
        bound = min(round(bad * 1.5, 2), 1.0)
        suggestions.append(
            Suggestion("data.max_bad_fraction", bound, f"{bad:.0%} of the files are unreadable as images; check them")
        )
    floor = round(majority + 0.25 * (1 - majority), 2)
    suggestions.append(
        Suggestion(
            "evaluate.min_accuracy", floor, f"always answering the largest class is right for {majority:.0%}; raise it"
        )
    )
    return suggestions


def forecast_seconds(found: FolderSurvey, chosen: Mapping[str, Scalar], gpu: bool) -> float | None:
    """Duration of a run on this machine's CPU; None with a GPU, whose speed is unknown here."""
    if gpu:
        return None
    rate = CPU_RATE * (os.cpu_count() or 1) * (REFERENCE_SIZE / float(chosen["model.image_size"])) ** RATE_EXPONENT
    train = found.images * (1.0 if found.given_splits else 0.75)
    passes = float(chosen["train.epochs"]) * (1 + 0.15 * INFERENCE_SHARE) + TUNER_TRIALS * TUNER_SHARE
    seconds: float = FIXED_SECONDS + found.images / INGEST_RATE + passes * train / rate
    return seconds


def _image_size(side: float, gpu: bool) -> int:
    most = REFERENCE_SIZE if gpu else MOST_CPU_SIZE
    return int(min(max(side // 32 * 32, 64), most))


def _size_reason(side: float, size: int, gpu: bool) -> str:
    if side < size:
        return f"the images have {side:.0f} pixels; the network halves the side five times and needs {size}"
    if size < side and not gpu:
        return f"the images have {side:.0f} pixels; on a CPU, more than {size} takes long"
    return f"the images have {side:.0f} pixels a side"
