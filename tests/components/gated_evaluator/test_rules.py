"""Per-class floors, the confident comparison, and the policy for other classes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.gated_evaluator.rules import (
    EQUAL_IS_ENOUGH,
    ClassResult,
    Rules,
    compare_class_lists,
    judge_change,
    judge_classes,
    judge_slices,
)
from components.gated_evaluator.slices import Slice

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


def test_a_class_without_a_floor_hides_no_other_one():
    classes = {"cat": ClassResult(0.0, 50), "daisy": ClassResult(0.1, 50)}
    (problem,) = judge_classes(classes, Rules(class_recall={"daisy": 0.9})).problems
    assert problem == "recall of class daisy is 0.1000 on 50, below 0.9"


def test_names_are_listed_as_people_list_them():
    classes, known = {"cat": ClassResult(1.0, 20), "dog": ClassResult(1.0, 20)}, ["cat", "dog", "eel", "owl"]
    judgement = judge_classes(classes, Rules(class_recall={"gnu": 0.5}), known)
    assert judgement.problems == ["class gnu has a floor, but no eval images; the classes are cat, dog"]
    assert judgement.notes == ["no eval images, so that nothing judges them: eel, owl"]


def kinds(*of: tuple[float, int]) -> list[Slice]:
    """Slices by brightness with these accuracies and numbers of images."""
    return [Slice("brightness", f"b{number}", accuracy, images) for number, (accuracy, images) in enumerate(of)]


def test_each_kind_of_images_is_held_against_the_floor_from_the_least_number_on():
    rules = Rules(min_slice_accuracy=0.75, min_examples=10)
    judgement = judge_slices(kinds((0.75, 10), (0.7, 10), (math.nan, 11), (0.0, 9), (0.0, 8)), rules)
    assert judgement.problems == [
        "accuracy on images of brightness b1 is 0.7000 on 10, below 0.75",
        "accuracy on images of brightness b2 is nan on 11, below 0.75",
    ]
    assert judgement.notes == ["fewer than 10 eval images, accuracy not judged: b3 (9), b4 (8)"]
    assert judge_slices(kinds((1.0, 10)), rules).notes == []


def test_that_no_kind_of_images_was_judged_is_said():
    rules = Rules(min_slice_accuracy=0.75, min_examples=10)
    nothing = "no kind of images was judged"
    assert judge_slices([], rules).notes == [nothing]
    few = "fewer than 10 eval images, accuracy not judged: b0 (9)"
    assert judge_slices(kinds((0.0, 9)), rules).notes == [few, nothing]
    without = judge_slices(kinds((0.0, 99)), Rules())
    assert (without.problems, without.notes) == ([], [])


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
        ((-0.5 - EQUAL_IS_ENOUGH, 0.0), 0.5, False),
        ((math.nan, math.nan), 0.5, True),
        (None, 0.5, True),
    ],
)
def test_with_confidence_the_whole_interval_must_be_within_the_drop(interval, max_drop, refused):
    assert bool(judge_change(interval, Rules(max_drop=max_drop, confidence=True))) is refused
    assert judge_change(interval, Rules(max_drop=max_drop)) == []


def test_a_missing_interval_is_said():
    told = judge_change(None, Rules(confidence=True))
    assert told == ["the confidence interval of the change of accuracy is missing"]


@pytest.mark.parametrize(
    ("candidate", "served", "difference"),
    [
        (["a", "b"], ["a", "b"], ""),
        (["a", "b", "c"], ["a", "b"], "new: c"),
        (["a"], ["a", "b"], "gone: b"),
        (["a", "c", "d"], ["a", "x", "y"], "new: c, d; gone: x, y"),
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
