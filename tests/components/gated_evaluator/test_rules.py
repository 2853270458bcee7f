"""Per-class floors, the confident comparison, and the policy for other classes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.gated_evaluator.rules import ClassResult, Rules, compare_class_lists, judge_change, judge_classes

RESULTS = st.dictionaries(
    st.text(min_size=1), st.builds(ClassResult, recall=st.floats(0, 1), examples=st.integers(1, 1000)), min_size=1
)


def test_a_class_whose_recall_collapses_is_refused_by_its_floor():
    classes = {"daisy": ClassResult(0.1, 50), "rose": ClassResult(1.0, 500)}
    (problem,) = judge_classes(classes, Rules(min_recall=0.6)).problems
    assert "daisy" in problem and "0.1" in problem and "50" in problem


def test_a_class_of_few_images_is_named_and_not_judged():
    judgement = judge_classes({"daisy": ClassResult(0.0, 3)}, Rules(min_recall=0.6, min_examples=10))
    assert judgement.problems == []
    assert "daisy (3)" in judgement.notes[0]


@pytest.mark.parametrize(("recall", "refused"), [(0.89, True), (0.9, False), (math.nan, True)])
def test_a_floor_of_its_own_comes_before_the_common_one(recall, refused):
    rules = Rules(min_recall=0.5, class_recall={"daisy": 0.9})
    assert bool(judge_classes({"daisy": ClassResult(recall, 20)}, rules).problems) is refused


@pytest.mark.parametrize("classes", [{"rose": ClassResult(1, 99)}, {"daisy": ClassResult(1, 2)}])
def test_a_floor_that_could_not_say_no_is_a_problem(classes):
    (problem,) = judge_classes(classes, Rules(class_recall={"daisy": 0.9}, min_examples=10)).problems
    assert "class daisy has a floor" in problem


def test_a_class_without_eval_images_fails_each_floor_on_single_classes():
    classes, known = {"cat": ClassResult(1.0, 20), "dog": ClassResult(1.0, 20)}, ["cat", "dog", "owl"]
    assert judge_classes(classes, Rules(), known).problems == []
    assert "owl" in judge_classes(classes, Rules(), known).notes[0]
    (problem,) = judge_classes(classes, Rules(min_recall=0.1), known).problems
    assert "class owl has no eval images" in problem
    assert len(judge_classes(classes, Rules(min_recall=0.1, class_recall={"owl": 0.5}), known).problems) == 1


@given(RESULTS, st.floats(0, 1), st.integers(1, 1000))
def test_every_class_is_judged_or_named(classes, floor, fewest):
    judgement = judge_classes(classes, Rules(min_recall=floor, min_examples=fewest))
    judged = {name for name, result in classes.items() if result.examples >= fewest}
    assert len(judgement.problems) == sum(classes[name].recall < floor for name in judged)
    assert bool(judgement.notes) == (len(judged) < len(classes))


@pytest.mark.parametrize(
    ("interval", "max_drop", "refused"),
    [
        ((-0.03, 0.05), 0.02, True),
        ((-0.03, 0.05), 0.04, False),
        ((0.0, 0.0), 0.0, False),
        ((math.nan, math.nan), 0.5, True),
        (None, 0.5, True),
    ],
)
def test_with_confidence_the_whole_interval_must_be_within_the_drop(interval, max_drop, refused):
    assert bool(judge_change(interval, Rules(max_drop=max_drop, confidence=True))) is refused
    assert judge_change(interval, Rules(max_drop=max_drop)) == []


@pytest.mark.parametrize(
    ("candidate", "served", "difference"),
    [
        (["a", "b"], ["a", "b"], ""),
        (["a", "b", "c"], ["a", "b"], "new: c"),
        (["a"], ["a", "b"], "gone: b"),
        (["a", "c"], ["a", "b"], "new: c; gone: b"),
        (["b", "a"], ["a", "b"], "in another order"),
        (["a"], None, ""),
    ],
)
def test_other_classes_are_told(candidate, served, difference):
    assert compare_class_lists(candidate, served) == difference


@pytest.mark.tfx
def test_calibration_error_is_the_gap_between_sure_and_right():
    from components.common.calibration_error import expected_calibration_error

    bins = np.zeros((15, 3))
    bins[9] = (10, 6.5, 5)  # 65 % sure, right half of the time
    bins[14] = (10, 10.0, 10)
    assert expected_calibration_error(bins) == pytest.approx(0.075)
    assert math.isnan(expected_calibration_error(np.zeros((15, 3))))
