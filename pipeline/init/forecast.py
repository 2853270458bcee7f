"""How long a run will take: from a few steps that were measured here, else by a rule of thumb for CPUs."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.config.edit import Scalar
from pipeline.init.suggestions import BATCH, training_images
from pipeline.init.survey import FolderSurvey

if TYPE_CHECKING:
    from trainer.pace import Pace

# Training, images/s of B0 at 224 pixels on one CPU core, half of what two cores reach: 12 to 18 with this network's
# kernels (benchmarks/train_step.py). What is not the network's makes small images dearer than their pixels.
CPU_RATE, REFERENCE_SIZE, RATE_EXPONENT = 8.0, 224, 1.8
FIXED_SECONDS = 150  # loading, tracing, evaluation, checks
FIXED_BESIDE_TRAINING = 110  # the same without what `Pace.first_step` has, once each for Tuner and Trainer
INGEST_RATE = 100.0  # images/s through ingest, statistics and Transform together, on a CPU
INFERENCE_SHARE = 1 / 3  # of a training step's time
VAL_SHARE = 0.15  # of the images, that each epoch ends with
TUNER_TRIALS, TUNER_SHARE = 3, 0.6  # of one epoch each, of this share of the train split
HEAD_SECONDS = 2.0  # of a trial that trains the classifier alone
VIEWS = 2  # of a training image: as it is, and mirrored


def forecast_seconds(
    found: FolderSurvey, chosen: Mapping[str, Scalar], gpu: bool, pace: "Pace | None" = None
) -> float | None:
    """How long a run will take; None with a GPU whose pace was not measured.

    Args:
      found: the folder.
      chosen: settings by key.
      gpu: whether the machine has one.
      pace: of the chosen network here, if it was measured.
    """
    if pace is None and gpu:
        return None
    train = training_images(found)
    step, answer = (pace.step / BATCH, pace.answer / BATCH) if pace else _rule(float(chosen["model.image_size"]))
    epochs = float(chosen["train.epochs"]) * train * (step + VAL_SHARE * answer)
    ingest = found.images / INGEST_RATE
    if chosen.get("train.recipe") == "finetune":
        heads = (float(chosen["tune.trials"]) + 1) * HEAD_SECONDS
        tracing = pace.first_step if pace and epochs else 0.0
        return FIXED_BESIDE_TRAINING + ingest + VIEWS * found.images * answer + heads + tracing + epochs
    fixed = FIXED_BESIDE_TRAINING + 2 * pace.first_step if pace else FIXED_SECONDS
    return fixed + ingest + epochs + TUNER_TRIALS * TUNER_SHARE * train * step


def _rule(side: float) -> tuple[float, float]:
    """Seconds an image for training and for an answer, of B0 on this machine's CPU."""
    rate = CPU_RATE * (os.cpu_count() or 1) * (REFERENCE_SIZE / side) ** RATE_EXPONENT
    return 1 / rate, INFERENCE_SHARE / rate
