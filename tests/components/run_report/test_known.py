"""What the report says of a model that tells what it knows."""

import numpy as np
import pytest

from components.common.calibration_error import calibration_error
from components.run_report.analysis import Answers, coverage_and_precision, known_share, without_temperature


def tempered(temperature: float) -> tuple[Answers, np.ndarray]:
    """Answers of a model that was served at a temperature, and the probabilities of the network itself."""
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 3, (500, 4))

    def softmax(scores: np.ndarray) -> np.ndarray:
        powers = np.exp(scores)
        return powers / powers.sum(axis=1, keepdims=True)

    labels = chance.integers(0, 4, 500)
    return Answers(labels, softmax(logits / temperature).astype(np.float32), [""] * 500), softmax(logits)


def test_the_networks_own_probabilities_come_back():
    answers, own = tempered(2.5)
    np.testing.assert_allclose(without_temperature(answers, 2.5), own, atol=1e-5)


def test_what_is_known_lies_on_the_curve_of_the_surest_images():
    answers, _ = tempered(1.0)
    shares, precisions = coverage_and_precision(answers)
    threshold = float(np.sort(answers.confidence)[-100])
    assert known_share(answers, threshold) == (shares[99], precisions[99])
    assert (shares[-1], precisions[-1]) == (1.0, answers.right.mean())
    assert known_share(answers, 2.0) == (0.0, None)


@pytest.mark.tfx
def test_the_report_shows_coverage_and_both_calibration_errors():
    from components.run_report.collect_model import known_facts  # with TensorFlow Model Analysis

    answers, own = tempered(2.5)
    info = {
        "known_precision": 0.9, "known.temperature": 2.5, "known.threshold": 0.8, "known.coverage": 0.5,
        "known.precision": 0.91, "known.error_before": 0.2, "known.error_after": 0.05,
    }  # fmt: skip
    facts = dict(known_facts(info, answers))
    assert facts["known of the val images"] == "50.0%, 91.00% of them right"
    before = calibration_error(own, answers.labels)
    after = calibration_error(answers.probabilities, answers.labels)
    assert facts["calibration error on the eval images"] == f"{before:.4f} -> {after:.4f}"
    nothing = known_facts({**info, "known.threshold": 2.0, "known.coverage": 0.0, "known.precision": None}, answers)
    assert dict(nothing)["known of the eval images"] == "0.0%"
