"""Calibration: the temperature, and the least probability of a known answer.

Measured on the val split, which the network was not trained on. One number, the temperature, divides its logits, so
that its probabilities are right on average (Guo et al., arXiv 1706.04599); no class overtakes another by that. Answers
whose probability reaches the threshold are `known`: they are as often right as was asked for.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from components.common.calibration_error import calibration_error

COLDEST, HOTTEST = 0.05, 20.0
NEVER = 2.0  # a threshold that no probability reaches


@dataclass(frozen=True)
class Calibration:
    """A network's calibration, and what it is served with.

    Attributes:
      temperature: divides the logits.
      threshold: least probability of a known answer; above 1 if no answers were right often enough.
      coverage: share of the val images whose answer is known.
      precision: share of those that are right; None if there are none.
      error_before: expected calibration error of the network's own probabilities, 0 to 1.
      error_after: of those that are served.
    """

    temperature: float
    threshold: float
    coverage: float
    precision: float | None
    error_before: float
    error_after: float


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.int64], precision: float) -> Calibration:
    """Fits temperature and threshold.

    Args:
      logits: float (images, classes).
      labels: int (images,).
      precision: how often a known answer has to be right, 0 to 1.

    Raises:
      ValueError: there are no images.
    """
    if not len(labels):
        raise ValueError("serving.known_precision needs images in the val split, and there are none")
    temperature = fit_temperature(logits, labels)
    served = softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    confidence, right = served.max(axis=1), served.argmax(axis=1) == labels
    threshold = choose_threshold(confidence, right, precision)
    known = confidence >= threshold
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        coverage=float(known.mean()),
        precision=float(right[known].mean()) if known.any() else None,
        error_before=calibration_error(softmax(np.asarray(logits, np.float64), axis=1), labels),
        error_after=calibration_error(served, labels),
    )


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Returns the temperature with the least cross entropy."""
    logits = np.asarray(logits, np.float64)

    def cross_entropy(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(labels)), labels].mean())

    best = minimize_scalar(cross_entropy, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(best.x))


def choose_threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float) -> float:
    """Returns the least threshold above which the share of right answers is `precision` or more.

    It is halfway to the next lower confidence, so that rounding on another machine takes no image across it.

    Args:
      confidence: float (images,).
      right: bool (images,).
      precision: 0 to 1.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Images of one confidence are known together or not at all.
    lasts = np.append(sorted_confidence[:-1] > sorted_confidence[1:], True)
    enough = np.flatnonzero(lasts & (shares >= precision))
    if not len(enough):
        return NEVER
    last = enough[-1]
    lower = sorted_confidence[last + 1] if last + 1 < len(order) else 0.0
    return float((sorted_confidence[last] + lower) / 2)


def ask_logits(model: keras.Model, batches: tf.data.Dataset) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The logits of a network, (images, classes), and the labels, (images,), of what `eval_batches` gives."""
    classify = tf.function(lambda images: model(images, training=False), autograph=False, reduce_retracing=True)
    answers = [(classify(images).numpy(), np.argmax(targets, axis=1)) for images, targets in batches]
    if not answers:
        return np.zeros((0, model.output_shape[-1])), np.zeros(0, int)
    logits, labels = (np.concatenate(column) for column in zip(*answers, strict=True))
    return logits, labels
