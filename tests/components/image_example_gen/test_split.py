"""The split of an image follows from its bytes and the seed alone."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_example_gen.split import SPLITS, SplitRule, merge_firsts

fractions = st.tuples(st.floats(0, 0.49), st.floats(0, 0.49))
contents = st.binary(max_size=64).map(lambda data: hashlib.sha256(data).hexdigest())


@given(content=contents, fractions=fractions, seed=st.integers())
def test_the_same_image_always_falls_into_the_same_split(content, fractions, seed):
    assert SplitRule(*fractions, seed).split_of(content) == SplitRule(*fractions, seed).split_of(content)
    assert SplitRule(*fractions, seed).split_of(content) in SPLITS


@given(content=contents, fractions=fractions, seed=st.integers(0, 1000))
def test_a_given_split_takes_no_image_from_train_and_the_other_keeps_its_size(content, fractions, seed):
    rule = SplitRule(*fractions, seed)
    assert rule.without(frozenset({"train", "val", "eval"})).split_of(content) == "train"
    assert rule.without(frozenset({"val"})).split_of(content) in ("train", "eval")
    assert (rule.without(frozenset({"val"})).split_of(content) == "eval") == (rule.split_of(content) == "eval")


@given(fractions=fractions, seed=st.integers(0, 10_000))
def test_the_shares_are_about_right(fractions, seed):
    images = 2000
    rule = SplitRule(*fractions, seed)
    counts = Counter(rule.split_of(hashlib.sha256(f"{seed} {image}".encode()).hexdigest()) for image in range(images))
    five_sigma = 5 * (0.25 / images) ** 0.5
    assert counts["val"] / images == pytest.approx(fractions[0], abs=five_sigma)
    assert counts["eval"] / images == pytest.approx(fractions[1], abs=five_sigma)


def test_another_seed_cuts_otherwise():
    images = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(200)]
    cuts = [[SplitRule(0.2, 0.2, seed).split_of(image) for image in images] for seed in (1, 2)]
    assert cuts[0] != cuts[1]


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (-0.1, 0.2), (1.0, 0.0)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(fractions):
    with pytest.raises(ValueError, match="less than 1"):
        SplitRule(*fractions, seed=1)


def test_the_rule_without_a_given_split_keeps_the_other_share():
    rule = SplitRule(val_fraction=0.3, eval_fraction=0.2, seed=1)
    assert rule.without(frozenset({"eval"})) == SplitRule(0.3, 0, 1)
    assert rule.without(frozenset({"val"})) == SplitRule(0, 0.2, 1)
    assert rule.without(frozenset({"train"})) == rule


def units(*names: str) -> list[tuple[float, str]]:
    return [(place / 10, name) for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("firsts", "fractions", "drafted"),
    [
        ({"train": units("a", "b", "c")}, (0.1, 0.1), [("a", "eval"), ("b", "val")]),
        ({"train": units("a", "b")}, (0.1, 0.1), [("a", "eval")]),  # the last one stays to be trained on
        ({"train": units("a")}, (0.1, 0.1), []),
        ({}, (0.1, 0.1), []),
        ({"train": units("a", "b", "c"), "eval": units("x")}, (0.1, 0.1), [("a", "val")]),
        ({"train": units("a", "b", "c"), "val": units("x")}, (0.1, 0.1), [("a", "eval")]),
        ({"train": units("a", "b", "c")}, (0.0, 0.1), [("a", "eval")]),  # nobody wants a val split
        ({"train": units("a", "b", "c")}, (0.1, 0.0), [("a", "val")]),
    ],
)
def test_a_class_that_the_cut_left_out_of_a_split_sends_its_first_units(firsts, fractions, drafted):
    kept = {split: list(there) for split, there in firsts.items()}
    assert list(SplitRule(*fractions, seed=1).drafts(firsts)) == drafted
    assert firsts == kept


def test_the_first_units_of_parts_are_those_of_the_whole():
    parts = [{"train": units("b", "d"), "val": units("x")}, {"train": units("a", "c")}, {"train": units("b")}]
    assert merge_firsts(parts) == {"train": [(0.0, "a"), (0.0, "b"), (0.1, "c")], "val": [(0.0, "x")]}
    assert merge_firsts([]) == {}
