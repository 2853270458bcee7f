"""What is said of classes before a run trains on them."""

import pytest

from components.data_gate.verdict import describe_other_classes
from components.image_example_gen.class_notes import note_similar_names, note_without_eval


@pytest.mark.parametrize("other", ["Cat", "cat ", "c at", "\uff43\uff41\uff54"])
def test_names_that_differ_in_next_to_nothing_get_a_hint(other):
    (note,) = note_similar_names(["cat", "dog", other])
    assert f"'cat' and {other!r}" in note


def test_other_names_get_none():
    assert note_similar_names(["cat", "cats", "caf\u00e9", "cafe"]) == []


def test_classes_that_nothing_judges_are_named():
    (note,) = note_without_eval({"cat": 3, "owl": 0})
    assert "which nothing judges: owl" in note
    assert note_without_eval({"cat": 3, "owl": 1}) == []
    assert note_without_eval({"cat": 0, "owl": 0}) == [], "no eval split at all is another fault"


def test_classes_that_the_served_model_does_not_know_are_named_before_training():
    assert describe_other_classes(["a", "c"], ["a", "b"]) == "the served model does not know c and also knows b"
    assert describe_other_classes(["b", "a"], ["a", "b"]) == describe_other_classes(["a"], None) == ""
