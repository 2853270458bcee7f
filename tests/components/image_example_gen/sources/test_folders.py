"""Classes and splits from folder names."""

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.folders import plan_ingest
from components.image_example_gen.sources.listing import FileEntry, Listing


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
    assert [(rejected.path, rejected.reason) for rejected in plan.rejected] == [("test/3.png", "not_in_class_folder")]


def test_splits_beside_classes_are_refused():
    with pytest.raises(DataError, match="bird beside test, train"):
        plan_ingest(listing_of("train/cat/1.png", "test/cat/2.png", "bird/3.png"))


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
