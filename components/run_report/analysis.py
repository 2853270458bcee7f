"""What the answers to single images tell beyond TFMA's metrics: calibration, slices, the worst mistakes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.run_report.content import Slice

BINS = 10  # of confidence; the figure is for the eye, the gate's own number has more
LEAST_IN_SLICE = 10
NORMAL_95 = 1.96  # standard deviations to either side


@dataclass(frozen=True)
class Answers:
    """The model's answers to eval images.

    Attributes:
        labels: int (images,), the right ones.
        probabilities: float32 (images, classes).
        paths: of the files.
        formats: of the files.
        brightness: float (images,), 0 to 1.
        sides: float (images,), of a square with as many pixels as the file has.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    paths: list[str]
    formats: list[str]
    brightness: np.ndarray
    sides: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class, int (images,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Its probability, float (images,)."""
        return self.probabilities.max(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Whether it is the right one, bool (images,)."""
        return self.predicted == self.labels


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in a range: how sure the model was, how often it was right, and the 95 %
    interval of that."""

    images: int
    confidence: float
    accuracy: float
    low: float
    high: float


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share (E. B. Wilson, 1927), which also holds for few images and shares near 1."""
    if not images:
        return 0.0, 1.0
    share, squared = right / images, NORMAL_95**2
    centre = (share + squared / (2 * images)) / (1 + squared / images)
    reach = NORMAL_95 * math.sqrt(share * (1 - share) / images + squared / (4 * images**2)) / (1 + squared / images)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def calibration_bins(answers: Answers) -> list[Bin]:
    """Returns the bins of equal width that hold an image, from unsure to sure."""
    index = np.minimum((answers.confidence * BINS).astype(int), BINS - 1)
    bins = []
    for mask in (index == number for number in range(BINS)):
        images, right = int(mask.sum()), int(answers.right[mask].sum())
        if images:
            confidence = float(answers.confidence[mask].mean())
            bins.append(Bin(images, confidence, right / images, *wilson_interval(right, images)))
    return bins


def find_slices(answers: Answers) -> list[Slice]:
    """Returns the accuracy by brightness, size and format; a slice of fewer than ten images says nothing, so is left
    out."""
    slices = []
    for feature, values, names in (
        ("brightness", answers.brightness, ("dark", "medium", "bright")),
        ("size", answers.sides, ("small", "medium", "large")),
    ):
        low, high = np.quantile(values, [1 / 3, 2 / 3])
        if low == high:
            continue  # the images hardly differ in it
        third = np.digitize(values, [low, high], right=True)
        for number, name in enumerate(names):
            mask = third == number
            if mask.any():
                ends = f"{values[mask].min():.3g} to {values[mask].max():.3g}"
                slices.append(_slice(answers, mask, feature, f"{name} ({ends}{' px' * (feature == 'size')})"))
    formats = np.array(answers.formats)
    kinds = sorted(set(answers.formats))
    slices += [_slice(answers, formats == kind, "format", kind) for kind in kinds if len(kinds) > 1]
    return [found for found in slices if found.images >= LEAST_IN_SLICE]


def worst_mistakes(answers: Answers, most: int) -> list[int]:
    """Returns the images of which the model was surest of a wrong class."""
    wrong = np.flatnonzero(~answers.right)
    return [int(index) for index in wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]]


def confusion_matrix(pairs: Sequence[tuple[int, int, int]], classes: int) -> np.ndarray:
    """Returns int (classes, classes), actual by predicted, from (actual, predicted, images)."""
    matrix = np.zeros((classes, classes), np.int64)
    for actual, predicted, images in pairs:
        matrix[actual, predicted] = images
    return matrix


def _slice(answers: Answers, mask: np.ndarray, feature: str, kind: str) -> Slice:
    images, right = int(mask.sum()), int(answers.right[mask].sum())
    return Slice(feature, kind, images, right / max(images, 1), *wilson_interval(right, images))
