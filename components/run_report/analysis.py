"""What the answers to single images tell beyond TFMA's metrics: calibration, the worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.calibration_error import bin_of
from components.gated_evaluator.slices import wilson_interval

BINS = 10  # of confidence; the figure is for the eye, the gate's own number has more


@dataclass(frozen=True)
class Answers:
    """The model's answers to eval images.

    Attributes:
        labels: int (images,), the right ones.
        probabilities: float32 (images, classes).
        paths: of the files.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    paths: list[str]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class, int (images,)."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Its probability, float (images,)."""
        confidence: NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether it is the right one, bool (images,)."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right


@dataclass(frozen=True)
class Bin:
    """The images whose confidence is in a range: how sure the model was, how often it was right, and the 95 %
    interval of that."""

    images: int
    confidence: float
    accuracy: float
    low: float
    high: float


def calibration_bins(answers: Answers) -> list[Bin]:
    """Returns the bins of equal width that hold an image, from unsure to sure."""
    index = bin_of(answers.confidence, BINS)
    bins = []
    for mask in (index == number for number in range(BINS)):
        images, right = int(mask.sum()), int(answers.right[mask].sum())
        if images:
            confidence = float(answers.confidence[mask].mean())
            bins.append(Bin(images, confidence, right / images, *wilson_interval(right / images, images)))
    return bins


def known_share(answers: Answers, threshold: float) -> tuple[float, float | None]:
    """Returns the share of images whose answer is known, and how many of those are right; None if there are none."""
    known = answers.confidence >= threshold
    return float(known.mean()), float(answers.right[known].mean()) if known.any() else None


def coverage_and_precision(answers: Answers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns, for the surest images up to each, their share of all and the share of right answers, float (images,)."""
    right = answers.right[np.argsort(-answers.confidence, kind="stable")]
    images = np.arange(1, len(right) + 1)
    return images / len(right), np.cumsum(right) / images


def without_temperature(answers: Answers, temperature: float) -> NDArray[np.float64]:
    """Returns the probabilities that the network itself gave, float (images, classes), before they were tempered."""
    # The logarithm of a probability is a logit less a number that all classes share.
    logits = np.log(np.maximum(answers.probabilities.astype(np.float64), np.finfo(np.float32).tiny)) * temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def worst_mistakes(answers: Answers, most: int) -> list[int]:
    """Returns the images of which the model was surest of a wrong class."""
    wrong = np.flatnonzero(~answers.right)
    return [int(index) for index in wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]]


def confusion_matrix(pairs: Sequence[tuple[int, int, int]], classes: int) -> NDArray[np.int64]:
    """Returns int (classes, classes), actual by predicted, from (actual, predicted, images)."""
    matrix = np.zeros((classes, classes), np.int64)
    for actual, predicted, images in pairs:
        matrix[actual, predicted] = images
    return matrix
