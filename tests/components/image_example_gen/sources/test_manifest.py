"""What rows of a manifest become, and which of them may not."""

import json

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.listing import FileEntry, Listing, Rejected
from components.image_example_gen.sources.manifest import plan_manifest

LISTING = Listing(
    files=[FileEntry(path, 7, 1) for path in ("1.png", "deep/2.png", "3.png", "labels.csv", "labels.jsonl")],
    rejected=[Rejected("torn.png", "unreadable", "Permission denied"), Rejected(".hidden", "ignored", "hidden")],
)
OUTSIDE = ["../secret.png", "/etc/passwd", "deep/../../x.png", "gs://bucket/x.png", "..\\x.png", "\\\\host\\x.png"]


def csv_plan(*rows: str):
    return plan_manifest("\n".join(rows).encode(), "labels.csv", LISTING)


def jsonl_plan(*rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    return plan_manifest("\n".join(lines).encode(), "labels.jsonl", LISTING)


def images_of(plan):
    return [(image.path, plan.classes[image.label], image.split, image.group) for image in plan.images]


def reasons_of(plan):
    return {line.path: line.reason for line in plan.rejected}


def test_both_formats_give_the_same_plan():
    from_csv = csv_plan("label,path,group,split", "dog,1.png,ann,", 'cat,deep/2.png,,test\r\n"dog, old",3.png,,train')
    from_jsonl = jsonl_plan(
        {"path": "1.png", "label": "dog", "group": "ann"},
        {"path": "deep/2.png", "label": "cat", "split": "test", "group": None},
        {"path": "3.png", "label": "dog, old", "split": "train"},
    )
    assert from_csv.images == from_jsonl.images
    assert images_of(from_csv) == [
        ("1.png", "dog", "", "ann"),
        ("3.png", "dog, old", "train", ""),
        ("deep/2.png", "cat", "eval", ""),
    ]
    assert from_csv.given_splits == {"train", "eval"}
    assert from_csv.images[0].size == 7


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leaves_the_folder_is_set_aside_by_name(path):
    plan = jsonl_plan({"path": path, "label": "cat"}, {"path": "1.png", "label": "dog"})
    assert reasons_of(plan)[path] == "outside_root"
    assert [image.path for image in plan.images] == ["1.png"]


def test_rows_that_are_no_images_are_named_and_other_files_too():
    plan = jsonl_plan(
        {"path": "1.png", "label": "dog"},
        {"path": "1.png", "label": "dog"},
        {"path": "gone.png", "label": "dog"},
        {"path": "torn.png", "label": "dog"},
        {"path": "3.png", "label": "dog", "split": "holdout"},
        {"path": "deep/2.png"},
        "{broken",
        "[1, 2]",
    )
    assert [(line.path, line.reason) for line in plan.rejected] == [
        (".hidden", "ignored"),
        ("1.png", "repeated"),
        ("3.png", "bad_row"),
        ("deep/2.png", "bad_row"),
        ("gone.png", "missing"),
        ("labels.csv", "ignored"),
        ("labels.jsonl line 7", "bad_row"),
        ("labels.jsonl line 8", "bad_row"),
        ("torn.png", "unreadable"),
    ]


def test_two_labels_of_one_file_are_both_kept_for_the_ingest_to_judge():
    assert len(csv_plan("path,label", "1.png,cat", "1.png,dog").images) == 2


def test_a_spreadsheets_mark_and_numbers_as_labels_are_read():
    plan = plan_manifest(b"\xef\xbb\xbfpath,label\n1.png,7\n3.png,8", "labels.csv", LISTING)
    assert (
        plan.classes == jsonl_plan({"path": "1.png", "label": 7}, {"path": "3.png", "label": 8}).classes == ["7", "8"]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,label\n1.png,cat", "columns file, label, expected also path"),
        (b"", "columns none"),
        (b"path,label\ncaf\xe9.png,cat", "another encoding"),
    ],
)
def test_a_manifest_that_is_none_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        plan_manifest(content, "labels.csv", LISTING)
