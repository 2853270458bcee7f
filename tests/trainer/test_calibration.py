"""How sure a network is, and which of its answers it knows."""

import numpy as np
import pytest
from scipy.special import softmax

from trainer.calibration import NEVER, calibrate, choose_threshold, fit_temperature

IMAGES, CLASSES = 4000, 5


@pytest.fixture(scope="module")
def honest() -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are right, and labels drawn by them."""
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (IMAGES, CLASSES))
    labels = np.array([chance.choice(CLASSES, p=row) for row in softmax(logits, axis=1)])
    return logits, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_network_that_is_too_sure_or_not_sure_enough(honest, factor):
    logits, labels = honest
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.1)
    found = calibrate(logits * factor, labels, 0.9)
    assert found.error_after < 0.03
    assert factor == 1.0 or found.error_before > 3 * found.error_after


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.99])
def test_known_answers_reach_the_precision_and_as_many_as_can_are_known(honest, precision):
    logits, labels = honest
    found = calibrate(logits * 2, labels, precision)
    assert found.precision >= precision
    confidence = softmax(logits * 2 / found.temperature, axis=1).max(axis=1)
    known = confidence >= found.threshold
    assert known.mean() == found.coverage > 0.02
    right = logits.argmax(axis=1) == labels
    more = np.sort(confidence[~known])[-1:]  # the next one would be one too many
    assert right[confidence >= more].mean() < precision


def test_images_of_one_confidence_are_known_together():
    confidence, right = np.array([0.9, 0.8, 0.8, 0.7]), np.array([True, True, False, False])
    assert 0.8 < choose_threshold(confidence, right, 0.9) < 0.9
    assert choose_threshold(confidence, right, 0.5) < 0.7  # all of them


def test_a_network_that_is_never_right_often_enough_knows_nothing():
    found = calibrate(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 0]), 0.9)
    assert (found.threshold, found.coverage, found.precision) == (NEVER, 0.0, None)


def test_without_val_images_the_setting_is_named():
    with pytest.raises(ValueError, match=r"serving\.known_precision needs images in the val split"):
        calibrate(np.zeros((0, 3)), np.zeros(0, int), 0.9)
