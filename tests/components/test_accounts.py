"""Nothing may be lost between the files found and the examples written."""

import pytest

from components.errors import DataError
from components.image_example_gen.accounts import summarise
from components.image_example_gen.layout import ImageFile, Plan
from components.image_example_gen.listing import Rejected

PLAN = Plan(
    images=[ImageFile("cat/1.png", 0, ""), ImageFile("dog/2.png", 1, ""), ImageFile("dog/3.png", 1, "")],
    classes=["cat", "dog"],
    given_splits=frozenset(),
    rejected=[Rejected("README", "not_in_class_folder", ""), Rejected(".DS_Store", "ignored", "")],
    empty_classes=["bird"],
)
COUNTS = {
    ("seen",): 3,
    ("written", "train", "cat"): 1,
    ("written", "eval", "dog"): 1,
    ("stored", "train"): 1,
    ("stored", "eval"): 1,
    ("quarantined", "truncated"): 1,
    ("reencoded", "format"): 1,
}


def summary_of(counts, copies=()):
    return summarise("images", "f", PLAN, counts, copies)


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
    assert summary.warnings == ["class folders without a file, left out: bird"]


@pytest.mark.parametrize(
    ("key", "count", "message"),
    [
        (("seen",), 2, "3 of them to read, 2 read"),
        (("written", "train", "cat"), 0, "5 found.*1 written, 3 quarantined"),
        (("written", "train", "cat"), 2, "5 found.*3 written"),
        (("quarantined", "truncated"), 0, "5 found.*2 quarantined"),
        (("stored", "eval"), 0, "1 written to eval, 0 in its shards"),
    ],
)
def test_a_lost_or_doubled_file_is_an_error_that_names_the_numbers(key, count, message):
    with pytest.raises(RuntimeError, match=message):
        summary_of({**COUNTS, key: count})


def test_a_class_without_a_readable_image_is_refused():
    counts = {**COUNTS, ("quarantined", "truncated"): 2, ("stored", "train"): 0}
    del counts["written", "train", "cat"]
    with pytest.raises(DataError, match=r"no readable image of cat.*truncated 2"):
        summary_of(counts)


def test_a_folder_without_a_readable_image_is_refused():
    with pytest.raises(DataError, match="5 files in images and no readable image"):
        summary_of({("seen",): 3, ("quarantined", "not_an_image"): 3})


def test_copies_across_classes_and_splits_are_warned_of():
    across = {"splits": ["eval", "train"], "classes": ["cat", "dog"], "paths": ["cat/1.png", "dog/2.png"]}
    within = {"splits": ["train"], "classes": ["dog"], "paths": ["dog/2.png", "dog/3.png", "dog/4.png"]}
    summary = summary_of(COUNTS, [across, within])
    assert summary.identical_files == 3
    assert summary.warnings[1:] == [
        "1 images lie in more than one class: cat/1.png = dog/2.png",
        "1 images lie in more than one split: cat/1.png = dog/2.png",
    ]
