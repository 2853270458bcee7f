"""Classes and splits from folder names."""

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.folders import plan_folders, plan_ingest
from components.image_example_gen.sources.listing import FileEntry, Listing
from components.image_example_gen.sources.plan import AmbiguousLayout


def listing_of(*paths: str, empty: tuple[str, ...] = ()) -> Listing:
    """A listing of these files, and of folders without any."""
    folders = set(empty)
    for path in (*paths, *(f"{folder}/x" for folder in empty)):
        parts = path.split("/")[:-1]
        folders.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    return Listing([FileEntry(path, 1, 1) for path in sorted(paths)], sorted(folders))


def placed(plan) -> dict[str, tuple[str, str]]:
    return {image.path: (plan.classes[image.label], image.split) for image in plan.images}


def test_folders_are_classes_in_the_order_of_their_names():
    plan = plan_ingest(listing_of("dog/2.png", "cat/1.png", "cat/deep/er/3.png"))
    assert plan.classes == ["cat", "dog"]
    assert placed(plan) == {"cat/1.png": ("cat", ""), "cat/deep/er/3.png": ("cat", ""), "dog/2.png": ("dog", "")}
    assert plan.given_splits == frozenset()


@pytest.mark.parametrize(
    ("folder", "split"), [("val", "val"), ("validation", "val"), ("valid", "val"), ("test", "eval")]
)
def test_split_folders_are_kept(folder, split):
    plan = plan_ingest(listing_of("train/cat/1.png", "train/dog/2.png", f"{folder}/cat/deep/3.png"))
    assert plan.classes == ["cat", "dog"]
    assert placed(plan)["train/dog/2.png"] == ("dog", "train")
    assert placed(plan)[f"{folder}/cat/deep/3.png"] == ("cat", split)
    assert plan.given_splits == {"train", split}


def test_a_class_may_be_called_train():
    plan = plan_ingest(listing_of("bus/1.png", "train/steam/2.png", "train/3.png"))
    assert plan.classes == ["bus", "train"]
    assert plan.given_splits == frozenset()


def test_flat_test_images_are_set_aside_as_they_have_no_class():
    plan = plan_ingest(listing_of("train/cat/1.png", "train/dog/2.png", "test/3.png"))
    assert plan.given_splits == {"train"}
    assert [(rejected.path, rejected.reason) for rejected in plan.rejected] == [("test/3.png", "unlabelled")]


NAMED = {
    "training_testing": (["Training/cat/1", "Training/dog/2", "Testing/cat/3", "Testing/dog/4"], {"train", "eval"}),
    "in_any_case": (["TRAIN/cat/1", "TRAIN/dog/2", "Valid/cat/3", "Test/dog/4"], {"train", "val", "eval"}),
    "twice_in_a_row": (
        ["seg_train/seg_train/cat/1", "seg_train/seg_train/dog/2", "seg_test/seg_test/cat/3", "seg_pred/seg_pred/4"],
        {"train", "eval"},
    ),
    "below_one_folder": (["archive/train/cat/1", "archive/train/dog/2", "archive/test/cat/3"], {"train", "eval"}),
    "in_images": (["train/images/cat/1", "train/images/dog/2", "val/images/cat/3"], {"train", "val"}),
    "with_images_and_no_classes": (
        ["train/cat/1", "train/dog/2", "val/cat/3", "test/images/4", "test/images/5"],
        {"train", "val"},
    ),
    "in_words_run_together": (
        ["TrainSet/cat/1", "TrainSet/dog/2", "TestSet/cat/3", "TestSet/dog/4"],
        {"train", "eval"},
    ),
    "with_words": (["train set/cat/1", "train set/dog/2", "test set/cat/3", "test set/dog/4"], {"train", "eval"}),
}


@pytest.mark.parametrize("name", NAMED)
def test_splits_are_known_by_structure_and_by_name(name):
    paths, splits = NAMED[name]
    plan = plan_ingest(listing_of(*(f"{path}.png" for path in paths)))
    assert (plan.classes, plan.given_splits) == (["cat", "dog"], splits)
    assert all(line.reason == "unlabelled" for line in plan.rejected)


TWO_WAYS = [
    ["train/cat/1.png", "test/cat/2.png", "bird/3.png"],
    ["north/cat/1.png", "north/dog/1.png", "south/cat/2.png", "south/dog/4.png"],
    ["val/cat/1.png", "val/dog/1.png", "test/cat/2.png", "test/dog/4.png"],
    ["train/cat/1.png", "train/dog/1.png", "cat/2.png", "dog/4.png"],
]


@pytest.mark.parametrize("paths", TWO_WAYS)
def test_where_two_readings_remain_both_are_named_and_a_setting_decides(paths):
    with pytest.raises(AmbiguousLayout, match=r"classes: .*; or splits: .*data\.layout") as told:
        plan_ingest(listing_of(*paths))
    classes, splits = told.value.readings
    assert classes.images_of.keys() == {path.split("/")[0] for path in paths}
    assert set(plan_folders(listing_of(*paths), "classes").classes) == set(classes.images_of)
    assert set(plan_folders(listing_of(*paths), "splits").classes) == set(splits.images_of)


def test_configured_classes_decide_what_is_a_split():
    paths = ["north/cat/1.png", "north/dog/1.png", "south/cat/2.png", "south/dog/4.png"]
    assert len(plan_ingest(listing_of(*paths), ["north", "south"]).images) == 4
    assert placed(plan_ingest(listing_of(*paths), ["dog", "cat"]))["south/dog/4.png"] == ("dog", "")
    trains = ["train/steam/1.png", "train/diesel/2.png", "test/probe/3.png"]
    assert plan_ingest(listing_of(*trains), ["test", "train"]).classes == ["test", "train"]


DAYS = [["2024-05-30/cat/1.png", "2024-05-30/dog/1.png", "2024-05-31/cat/2.png"], ["1/cat/1.png", "2/cat/2.png"]]


@pytest.mark.parametrize("paths", DAYS)
def test_folders_of_days_are_no_classes_until_a_person_says_so(paths):
    with pytest.raises(AmbiguousLayout, match=r"add /\{SPAN\} to data\.path") as told:
        plan_ingest(listing_of(*paths))
    assert told.value.spans
    assert plan_folders(listing_of(*paths), "classes").classes == sorted({path.split("/")[0] for path in paths})
    assert plan_ingest(listing_of("1/a.png", "2/b.png")).classes == ["1", "2"]


@pytest.mark.parametrize("more", [[], ["cat/3.png"]])
def test_images_in_flat_split_folders_have_no_class(more):
    with pytest.raises(DataError, match=r"in test, train, which are names of splits, .*--layout classes"):
        plan_ingest(listing_of("train/1.png", "test/2.png", *more))
    assert plan_folders(listing_of("train/1.png", "test/2.png"), "classes").classes == ["test", "train"]


def test_configured_classes_set_the_labels_and_others_are_set_aside():
    plan = plan_ingest(listing_of("cat/1.png", "dog/2.png", "bird/3.png", "README.md"), ["dog", "cat"])
    assert plan.classes == ["dog", "cat"]
    assert {rejected.path: rejected.reason for rejected in plan.rejected} == {
        "bird/3.png": "unknown_class",
        "README.md": "not_in_class_folder",
    }
    assert plan.found == 4


def test_empty_class_folders_are_left_out_and_named():
    plan = plan_ingest(listing_of("cat/1.png", "dog/2.png", empty=("bird", "ant/nest")))
    assert plan.classes == ["cat", "dog"]
    assert plan.empty_classes == ["ant", "bird"]


@pytest.mark.parametrize(
    ("paths", "classes", "message"),
    [
        (["1.png", "2.png"], [], "expected one per class"),
        (["cat/1.png"], [], "only the class cat"),
        (["cat/1.png", "dog/2.png"], ["cat", "dgo"], "configured classes dgo.*cat, dog"),
        (["cat/1.png", "dog/2.png"], ["cat", "dog", "cat"], "cat more than once"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(paths, classes, message):
    with pytest.raises(DataError, match=message):
        plan_ingest(listing_of(*paths), classes)
