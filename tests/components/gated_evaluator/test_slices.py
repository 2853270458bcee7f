"""Kinds of images that a model is looked at apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.gated_evaluator.rules import Rules, judge_slices
from components.gated_evaluator.slices import Slice, brightness_kind, size_kind, wilson_interval


@pytest.mark.parametrize(
    ("width", "height", "kind"),
    [(1, 1, "1 to 1 px"), (48, 48, "32 to 63 px"), (64, 64, "64 to 127 px"), (1024, 16, "128 to 255 px")],
)
def test_sizes_are_told_by_octaves_of_the_side(width, height, kind):
    assert size_kind(width, height) == kind


@pytest.mark.parametrize(("brightness", "kind"), [(0.0, "dark"), (0.25, "dim"), (0.74, "bright"), (1.0, "light")])
def test_brightness_has_four_levels(brightness, kind):
    assert brightness_kind(brightness) == kind


def test_the_interval_is_wilsons():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, examples), bounds in published.items():
        assert wilson_interval(hits / examples, examples) == pytest.approx(bounds, abs=6e-5)
    assert wilson_interval(0.5, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_share_lies_in_its_interval(examples, share):
    low, high = wilson_interval(share, examples)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


def test_a_kind_of_images_below_the_floor_is_refused_and_one_of_few_images_is_named():
    slices = [Slice("brightness_level", "dark", 0.4, 50), Slice("brightness_level", "dim", 0.95, 500)]
    few = Slice("size", "16 to 31 px", 0.0, 3)
    judgement = judge_slices([*slices, few], Rules(min_slice_accuracy=0.6, min_examples=10))
    (problem,) = judgement.problems
    assert "brightness_level dark is 0.4000 on 50" in problem
    assert "16 to 31 px (3)" in judgement.notes[0]
    assert judge_slices(slices, Rules()).problems == []
