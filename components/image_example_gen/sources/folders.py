"""Reads classes and given splits from folder names.

Two layouts are known: `<class>/**/*` and `{train,val,eval}/<class>/**/*`, where val may also be called validation or
valid, and eval test.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from components.common.errors import DataError
from components.image_example_gen.sources.listing import Listing, Rejected

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "eval", "eval": "eval"}


@dataclass(frozen=True)
class ImageFile:
    """A file that should be an image.

    Attributes:
        path: relative to the root.
        size: bytes.
        label: index of its class.
        split: the split that its folder names, or "" if the split rule decides.
        group: images of one group, such as one patient's, fall into one split; "" if it has none.
        shard: the file that it lies in, "" if it is a file of its own.
        offset: of its first byte in the shard.
    """

    path: str
    size: int
    label: int
    split: str
    group: str = ""
    shard: str = ""
    offset: int = 0


@dataclass(frozen=True)
class IngestPlan:
    """What to read and what was set aside by its name.

    Attributes:
        images: in the order of their paths.
        classes: class names; an image's label is the index of its class here.
        given_splits: the splits that have folders of their own; empty for plain class folders.
        rejected: files that are not read.
        empty_classes: class folders (with their split folder, if any) without a file.
    """

    images: list[ImageFile]
    classes: list[str]
    given_splits: frozenset[str]
    rejected: list[Rejected]
    empty_classes: list[str]

    @property
    def found(self) -> int:
        """How many files there are, read or not."""
        return len(self.images) + len(self.rejected)


def plan_ingest(listing: Listing, configured_classes: Sequence[str] = ()) -> IngestPlan:
    """Plans one folder; `plan_folders` and `combine` say what may be wrong."""
    return combine({"": plan_folders(listing)}, configured_classes)


def plan_folders(listing: Listing) -> IngestPlan:
    """Sorts the files of `listing` into classes and splits by their folders.

    Raises:
        DataError: if there are no class folders, or splits and classes side by side.
    """
    with_splits = _names_splits(listing)
    depth = 1 if with_splits else 0  # of the class name in the path
    class_folders = [folder for folder in listing.folders if folder.count("/") == depth]
    if not class_folders:
        raise DataError("got no folder below data.path, expected one per class: put each class's images in a folder")
    classes = sorted({entry.path.split("/")[depth] for entry in listing.files if entry.path.count("/") > depth})
    labels = {name: label for label, name in enumerate(classes)}
    images, rejected = [], list(listing.rejected)
    for entry in listing.files:
        parts = entry.path.split("/")
        if len(parts) > depth + 1:
            split = SPLIT_FOLDERS[parts[0]] if with_splits else ""
            images.append(ImageFile(entry.path, entry.size, labels[parts[depth]], split))
        else:
            message = "lies beside the class folders: its class is unknown"
            rejected.append(Rejected(entry.path, "not_in_class_folder", message))
    files_in = Counter("/".join(entry.path.split("/")[: depth + 1]) for entry in listing.files)
    return IngestPlan(
        images=images,
        classes=classes,
        given_splits=frozenset(SPLIT_FOLDERS[folder.split("/")[0]] for folder in class_folders if with_splits),
        rejected=sorted(rejected),
        empty_classes=[folder for folder in class_folders if not files_in[folder]],
    )


def combine(plans: Mapping[str, IngestPlan], configured_classes: Sequence[str] = ()) -> IngestPlan:
    """Puts plans together and gives their classes one list.

    Args:
        plans: path below the root, "" or ending with a slash -> the plan of what lies there.
        configured_classes: the classes in the order of their labels; empty takes those of the plans, by name.

    Raises:
        DataError: if there are fewer than two classes, or a configured one has no file.
    """
    found = {name for plan in plans.values() for name in plan.classes}
    classes = _check_classes(list(configured_classes) or sorted(found), found, configured=bool(configured_classes))
    labels = {name: label for label, name in enumerate(classes)}
    images, rejected = [], []
    for prefix, plan in plans.items():
        rejected += [replace(line, path=prefix + line.path) for line in plan.rejected]
        for image in plan.images:
            name, path = plan.classes[image.label], prefix + image.path
            if name in labels:
                images.append(replace(image, path=path, label=labels[name]))
            else:
                rejected.append(Rejected(path, "unknown_class", f"{name} is not among the configured classes"))
    return IngestPlan(
        images=images,
        classes=classes,
        given_splits=frozenset().union(*(plan.given_splits for plan in plans.values())),
        rejected=sorted(rejected),
        empty_classes=[prefix + folder for prefix, plan in plans.items() for folder in plan.empty_classes],
    )


def _names_splits(listing: Listing) -> bool:
    """Tells whether the top folders are splits: `train` with folders of its own, and at most its companions.

    A folder `train` among other names is a class; together with another split's folder that would be a guess.

    Raises:
        DataError: if split folders and others lie side by side.
    """
    top = [folder for folder in listing.folders if "/" not in folder]
    with_folders = {folder.split("/")[0] for folder in listing.folders if "/" in folder}
    if "train" not in with_folders:
        return False
    others = [name for name in top if name not in SPLIT_FOLDERS]
    splits = [name for name in top if name in SPLIT_FOLDERS and name in with_folders]
    if others and len(splits) > 1:
        raise DataError(
            f"got the folders {', '.join(others)} beside {', '.join(splits)}, expected only splits or only classes "
            "there: move one of them away"
        )
    return not others


def _check_classes(classes: list[str], filled: set[str], configured: bool) -> list[str]:
    if configured:
        if missing := [name for name in classes if name not in filled]:
            raise DataError(
                f"got no file for the configured classes {', '.join(missing)}, expected images of each: "
                f"add them or correct data.classes (classes with files: {', '.join(sorted(filled)) or 'none'})"
            )
        if repeated := [name for name, times in Counter(classes).items() if times > 1]:
            raise DataError(f"got {', '.join(repeated)} more than once in data.classes, expected each class once")
    if len(classes) < 2:
        got = f"only the class {classes[0]}" if classes else "no class with files"
        raise DataError(f"got {got}, expected at least two classes: add images of another")
    return classes
