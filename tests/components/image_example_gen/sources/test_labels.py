"""What rows of a label file become, and which of them may not."""

import json

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.file_names import FileNames
from components.image_example_gen.sources.labels import open_label_file, plan_labels
from components.image_example_gen.sources.listing import FileEntry, Listing, Rejected
from components.image_example_gen.sources.plan import AmbiguousLayout
from components.image_example_gen.sources.settings import LEFT_OPEN, ReadingSettings
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule

LISTING = Listing(
    files=[FileEntry(path, 7, 1) for path in ("1.png", "deep/2.png", "3.png", "labels.csv", "labels.jsonl")],
    rejected=[Rejected("torn.png", "unreadable", "Permission denied"), Rejected(".hidden", "ignored", "hidden")],
)
OUTSIDE = [
    "../secret.png",
    "/etc/passwd",
    "deep/../../x.png",
    "C:\\x.png",
    "https://elsewhere/1.png",
    "http://[",
    "gs://bucket/x.png",
    "..\\x.png",
    "\\\\host\\x.png",
]


PATHS = [entry.path for entry in LISTING.files]


def plan_manifest(content: bytes, name: str, listing: Listing, settings=LEFT_OPEN):
    names = FileNames("/photos", [entry.path for entry in listing.files])
    return plan_labels([open_label_file(content, name, names, settings)], names, listing)


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


def test_a_column_without_a_name_is_a_column():
    # As pandas writes its index, and some spreadsheets an empty column at the end.
    plan = csv_plan(",path,label,", "0,1.png,dog,", "1,3.png,cat,x")
    assert images_of(plan) == [("1.png", "dog", "", ""), ("3.png", "cat", "", "")]
    plan = jsonl_plan({"": 0, "path": "1.png", "label": "dog"})
    assert images_of(plan) == [("1.png", "dog", "", "")]


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
        (b"img,label\n1.png,cat", "columns img, label, expected one with the image's name .*--image-column"),
        (b"path,kind\n1.png,cat", "columns path, kind, expected one with its class"),
        (b"path,label\ngone.png,cat\nlost.png,dog", "none of the 2 files that labels.csv names exists, such as gone"),
        (b'path,label\n1.png,cat\n3.png,"dog\n1.png,cat\n', "not closed, .* begins in line 3"),
        (b'path,label\n3.png,"dog\n' + b"1.png,cat\n" * 20_000, "not closed, .* begins in line 2"),
        (b"", "columns none"),
        (b"path,label\ncaf\xe9.png,cat", "another encoding"),
        ("path,label\n1.png,cat".encode("utf-16-le"), "another encoding than UTF-8 .it has zero bytes"),
        (b"path,label,label\n1.png,cat,dog", "the column label more than once"),
        (b"1.png,cat\n3.png,dog", "first line names the file 1.png"),
    ],
)
def test_a_manifest_that_is_none_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        plan_manifest(content, "labels.csv", LISTING)


LABEL_STUDIO = [
    {"image": "/data/local-files/?d=x/1.png", "choice": "cat", "id": 1},
    {"image": "/data/upload/3/0a1b2c3d-2.png", "choice": {"choices": ["dog"]}, "id": 2, "split": "test"},
]
SAME = "path,label,split\n1.png,cat,\ndeep/2.png,dog,test\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (SAME.replace(",", ";"), "labels.csv"),
        (SAME.replace(",", "\t"), "labels.tsv"),
        ("sep=;\n" + SAME.replace(",", ";"), "labels.csv"),
        (SAME.replace("path,label", "Image ID,Diagnosis"), "labels.csv"),
        (SAME.replace("1.png", "1").replace("2.png", "2"), "labels.csv"),
        (SAME.replace("1.png", "./1.png").replace("deep/", "deep//"), "labels.csv"),
        (SAME.replace("1.png", "/photos/1.png").replace("deep/2", "deep\\2"), "labels.csv"),
        (SAME.replace("deep/2.png", "2.png"), "labels.csv"),
        (SAME.replace("\n", "\r\n"), "labels.csv"),
        ("filename, cat, dog,split\n1.png, 1, 0,\ndeep/2.png, 0, 1,test\n", "labels.csv"),
        ("filename,cat,dog,split\n1.png,True,False,\ndeep/2.png,False,True,test\n", "labels.csv"),
        (",path,label,split\n0,1.png,cat,\n1,deep/2.png,dog,test\n", "labels.csv"),
        (SAME.replace("1.png", "1.PNG").replace("deep/", "Deep/"), "labels.csv"),
        (json.dumps(LABEL_STUDIO), "project-1.json"),
    ],
)  # fmt: skip
def test_label_files_as_other_tools_write_them_say_the_same(content, name):
    for encoding in ("utf-8", "utf-16"):
        plan = plan_manifest(content.encode(encoding), name, LISTING)
        assert images_of(plan) == [("1.png", "cat", "", ""), ("deep/2.png", "dog", "eval", "")]


def test_rows_with_several_labels_are_named_and_refused():
    one_hot = csv_plan("id,a,b", "1.png,1,0", "deep/2.png,1,1", "3.png,0,0")
    assert reasons_of(one_hot) | {".hidden": ""} == {
        ".hidden": "", "deep/2.png": "multi_label", "3.png": "bad_row", "torn.png": "ignored",
        "labels.jsonl": "ignored",
    }  # fmt: skip
    lists = jsonl_plan({"file_name": "1.png", "label": ["a"]}, {"file_name": "3.png", "label": ["a", "b"]})
    assert images_of(lists) == [("1.png", "a", "", "")]
    assert reasons_of(lists)["3.png"] == "multi_label"
    barred = csv_plan("path,label", "1.png,a", "deep/2.png,b|a", '3.png,"c, old"')
    assert [label for _, label, *_ in images_of(barred)] == ["a", "c, old"]
    assert reasons_of(barred)["deep/2.png"] == "multi_label"


def test_a_users_columns_win_over_the_usual_names():
    content = b"path,label,dx,img\nx,1,nevus,1.png\ny,2,melanoma,3.png"
    plan = plan_manifest(content, "labels.csv", LISTING, ReadingSettings(image_column="img", label_column="dx"))
    assert [label for _, label, *_ in images_of(plan)] == ["nevus", "melanoma"]
    with pytest.raises(DataError, match="expected one with kind"):
        plan_manifest(content, "labels.csv", LISTING, ReadingSettings(image_column="img", label_column="kind"))


def test_a_name_in_the_other_unicode_form_is_the_same_file():
    listing = Listing(files=[FileEntry("caf\u00e9.png", 7, 1), FileEntry("2.png", 7, 1)])
    plan = plan_manifest("path,label\ncafe\u0301.png,cat\n2.png,dog".encode(), "labels.csv", listing)
    assert [image.path for image in plan.images] == ["2.png", "caf\u00e9.png"]


def test_a_name_that_several_files_have_is_not_guessed():
    listing = Listing(files=[FileEntry(path, 7, 1) for path in ("a/1.png", "b/1.png", "train/2.png", "test/2.png")])
    plan = plan_manifest(b"id,label\n1,cat\n2,dog", "train.csv", listing)
    assert images_of(plan) == [("train/2.png", "dog", "train", "")]
    assert reasons_of(plan)["1"] == "ambiguous"


def test_ids_that_training_and_test_images_have_in_common_mean_those_of_the_label_files_split():
    listing = Listing(files=[FileEntry(f"{folder}/{n}.png", 7, 1) for folder in ("train", "test") for n in (1, 2)])
    for name in ("train.csv", "trainLabels.csv", "train_labels.csv"):
        plan = plan_manifest(b"id,label\n1,cat\n2,dog", name, listing)
        assert images_of(plan) == [("train/1.png", "cat", "train", ""), ("train/2.png", "dog", "train", "")]
        assert set(reasons_of(plan).values()) == {"unlabelled"}


def test_a_row_with_more_values_than_columns_is_named_and_not_read_in_part():
    plan = csv_plan("path,label", "1.png,Smith, John", "3.png,cat,")
    assert images_of(plan) == [("3.png", "cat", "", "")]
    assert reasons_of(plan)["labels.csv line 2"] == "bad_row"


def plan_tree(root, settings=LEFT_OPEN, classes=()):
    return find_source(str(root), SpanRule(), settings).plan(classes)


def test_label_files_among_the_images_are_found(make_tree):
    kaggle = {
        "train.csv": b"id,breed\nc0,cat\nd0,dog", "train/c0.jpg": b"x", "train/d0.jpg": b"x", "test/t0.jpg": b"x",
        "sample_submission.csv": b"id,breed\nt0,cat",
    }  # fmt: skip
    plan = plan_tree(make_tree(kaggle))
    assert images_of(plan) == [("train/c0.jpg", "cat", "train", ""), ("train/d0.jpg", "dog", "train", "")]
    assert reasons_of(plan) == {"test/t0.jpg": "unlabelled", "sample_submission.csv": "ignored"}
    assert "train.csv: CSV with commas, the image in id, the class in breed" in plan.reading

    hugging_face = {
        f"{split}/{name}": content
        for split in ("train", "validation")
        for name, content in (("metadata.jsonl", b'{"file_name": "0.png", "label": "%s"}'), ("0.png", b"x"))
    }
    for split, label in ((b"train", b"cat"), (b"validation", b"dog")):
        hugging_face[f"{split.decode()}/metadata.jsonl"] %= label
    assert images_of(plan_tree(make_tree(hugging_face, "hf"))) == [
        ("train/0.png", "cat", "train", ""),
        ("validation/0.png", "dog", "val", ""),
    ]


def test_class_folders_and_a_label_file_that_contradict_each_other_are_told(make_tree):
    tree = {"a/1.png": b"x", "a/2.png": b"x", "b/3.png": b"x"}
    same = make_tree(tree | {"l.csv": b"path,label\na/1.png,A\na/2.png,A\nb/3.png,B"}, "same")
    assert plan_tree(same).classes == ["a", "b"]
    other = make_tree(tree | {"l.csv": b"path,label\na/1.png,A\na/2.png,B\nb/3.png,B"}, "other")
    with pytest.raises(AmbiguousLayout, match=r"classes: .*; or labels: "):
        plan_tree(other)
    assert plan_tree(other, ReadingSettings("labels")).classes == ["A", "B"]
    assert plan_tree(other, ReadingSettings("classes")).classes == ["a", "b"]
    assert plan_tree(other, classes=["B", "A"]).classes == ["B", "A"]


def test_a_damaged_label_file_is_named_and_the_others_are_read(make_tree):
    deep = b"[" * 200_000
    tree = {
        "1.png": b"x",
        "2.png": b"x",
        "l.csv": b"path,label\n1.png,A\n2.png,B",
        "o.json": deep,
        "p.csv": b"\xff\xfe\xff",
    }
    plan = plan_tree(make_tree(tree))
    assert plan.classes == ["A", "B"]
    assert reasons_of(plan) == {"o.json": "bad_label_file", "p.csv": "bad_label_file"}
    alone = make_tree({"1.png": b"x", "o.json": deep}, "alone")
    with pytest.raises(DataError, match=r"cannot read o\.json"):
        plan_tree(alone)
