"""How far a model is from being as sure as it is right."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64] | NDArray[np.float32]
Labels = NDArray[np.int64]

BINS = 15  # as in Guo et al., arXiv 1706.04599


def bin_of(confidence: Floats | float, bins: int = BINS) -> NDArray[np.int64]:
    """Returns the number of the bin of equal width, from 0, that each confidence falls into; 1 is in the last one."""
    return np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)


def expected_calibration_error(bins: NDArray[np.float64]) -> float:
    """Returns the mean gap between confidence and accuracy, 0 to 1; not a number without examples.

    Args:
        bins: float64 (bins, 3); of the examples whose confidence falls into each bin the number, the sum of their
            confidences, and how many were right.
    """
    examples, confidence, right = bins.T
    return float(np.abs(confidence - right).sum() / examples.sum()) if examples.sum() else float("nan")


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Returns the expected calibration error of the most probable class, over bins of equal width.

    Args:
        probabilities: float (images, classes).
        labels: int (images,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = bin_of(confidence)
    columns = (np.ones(len(labels)), confidence, right)
    return expected_calibration_error(
        np.stack([np.bincount(index, weights=column, minlength=BINS) for column in columns], axis=1)
    )
