"""Nothing may be lost between the files found and the examples written."""

import pytest

from components.common.errors import DataError
from components.image_example_gen.balance import summarise
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.plan import ImageFile, IngestPlan

PLAN = IngestPlan(
    images=[ImageFile("cat/1.png", 9, 0, ""), ImageFile("dog/2.png", 9, 1, ""), ImageFile("dog/3.png", 9, 1, "")],
    classes=["cat", "dog"],
    given_splits=frozenset(),
    rejected=[Rejected("README", "not_in_class_folder", ""), Rejected(".DS_Store", "ignored", "")],
    empty_classes=["bird"],
)
COUNTS = {
    ("in", "survey"): 3,
    ("out", "survey"): 2,
    ("rejected", "survey", "truncated"): 1,
    **{(key, step): 2 for step in ("labels", "leaks", "write") for key in ("in", "out")},
    ("written", "train", "cat"): 1,
    ("written", "eval", "dog"): 1,
    ("stored", "train"): 1,
    ("stored", "eval"): 1,
    ("reencoded", "format"): 1,
}


def summary_of(counts):
    return summarise("images", "f", PLAN, counts)


def test_every_file_is_accounted_for():
    summary = summary_of(COUNTS)
    assert summary.found == 5
    assert summary.written == {
        "train": {"cat": 1, "dog": 0},
        "val": {"cat": 0, "dog": 0},
        "eval": {"cat": 0, "dog": 1},
    }
    assert summary.quarantined == {"ignored": 1, "not_in_class_folder": 1, "truncated": 1}
    assert (summary.examples, summary.faulty) == (2, 2)
    assert summary.reencoded == {"format": 1}
    assert summary.warnings == [
        "class folders without a file, left out: bird",
        "classes without eval images, which nothing judges: cat; add images of them to the eval split",
    ]


@pytest.mark.parametrize(
    ("key", "count", "message"),
    [
        (("in", "survey"), 2, "survey: 3 to read, 2 read"),
        (("in", "labels"), 1, "labels: 2 to read, 1 read"),
        (("out", "leaks"), 1, "leaks: .*1 passed on, 0 quarantined"),
        (("rejected", "survey", "truncated"), 0, "survey: .*2 passed on, 0 quarantined"),
        (("written", "train", "cat"), 0, "2 passed on, 1 written"),
        (("written", "train", "cat"), 2, "2 passed on, 3 written"),
        (("stored", "eval"), 0, "1 written to eval, 0 in its shards"),
    ],
)
def test_a_lost_or_doubled_file_is_an_error_that_names_the_numbers(key, count, message):
    with pytest.raises(RuntimeError, match=message):
        summary_of({**COUNTS, key: count})


def test_a_class_without_a_readable_image_is_refused():
    passed = {(key, step): 1 for step in ("labels", "leaks", "write") for key in ("in", "out")}
    survey = {("out", "survey"): 1, ("rejected", "survey", "truncated"): 2, ("stored", "train"): 0}
    counts = COUNTS | passed | survey
    del counts["written", "train", "cat"]
    with pytest.raises(DataError, match=r"no readable image of cat.*truncated 2"):
        summary_of(counts)


def test_a_folder_without_a_readable_image_is_refused():
    with pytest.raises(DataError, match="5 files in images and no readable image"):
        summary_of({("in", "survey"): 3, ("rejected", "survey", "not_an_image"): 3})


def test_images_left_out_for_their_copies_are_warned_of():
    counts = COUNTS | {("out", "labels"): 1, ("rejected", "labels", "two_classes"): 1}
    counts |= {(key, step): 1 for step in ("leaks", "write") for key in ("in", "out")}
    counts |= {("written", "train", "cat"): 0, ("stored", "train"): 0}
    with pytest.raises(DataError, match=r"no readable image of cat.*two_classes 1"):
        summary_of(counts)


@pytest.mark.parametrize(
    ("val_of_the_third", "given", "warned"), [(19, (), True), (9, (), False), (19, ("val",), False), (0, (), False)]
)
def test_a_class_that_the_cut_treats_unlike_the_others_is_warned_of(val_of_the_third, given, warned):
    val = {"bluebell": 5, "colts-foot": 4, "buttercup": val_of_the_third}
    images = [ImageFile(f"{name}/{number}", 9, label, "") for label, name in enumerate(val) for number in range(60)]
    plan = IngestPlan(images, list(val), frozenset(given), [], [])
    counts = {(key, step): 180 for step in ("survey", "labels", "leaks", "write") for key in ("in", "out")}
    counts |= {("written", "val", name): count for name, count in val.items()}
    counts |= {("written", "train", name): 60 - count for name, count in val.items()}
    counts |= {("stored", "val"): sum(val.values()), ("stored", "train"): 180 - sum(val.values())}
    warnings = summarise("images", "f", plan, counts).warnings
    assert bool(warnings) == warned
    assert not warned or "buttercup has 19 of its 60 images in val, the others 8%" in warnings[0]
