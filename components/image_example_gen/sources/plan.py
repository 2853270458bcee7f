"""What an ingest reads: images with their classes and splits, and the files that it sets aside by their name."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from components.common.errors import DataError
from components.common.ingest_report import NO_FAULT
from components.image_example_gen.sources.listing import Rejected

SHOWN = 3  # names in a message


@dataclass(frozen=True)
class ImageFile:
    """A file that should be an image.

    Attributes:
        path: relative to the root.
        size: bytes.
        label: index of its class.
        split: the split that its folder names, or "" if the split rule decides.
        group: images of one group, such as one patient's, fall into one split; "" if it has none.
        shard: the file that contains it, "" if it is a file of its own.
        offset: of its first byte in the shard.
        inflated: bytes once it is decompressed, for a member of a zip archive that is compressed by itself; else 0.
    """

    path: str
    size: int
    label: int
    split: str
    group: str = ""
    shard: str = ""
    offset: int = 0
    inflated: int = 0


@dataclass(frozen=True)
class IngestPlan:
    """What to read and what was set aside by its name.

    Attributes:
        images: in the order of their paths.
        classes: class names; an image's label is the index of its class here.
        given_splits: the splits that have folders of their own; empty for plain class folders.
        rejected: files that are not read.
        empty_classes: class folders (with their split folder, if any) without a file.
        reading: how the folder was understood, in words.
    """

    images: list[ImageFile]
    classes: list[str]
    given_splits: frozenset[str]
    rejected: list[Rejected]
    empty_classes: list[str]
    reading: str = ""

    @property
    def found(self) -> int:
        """How many files there are, read or not."""
        return len(self.images) + len(self.rejected)


@dataclass(frozen=True)
class Reading:
    """A way to understand a folder: the value of `data.layout` for it, and what it would give."""

    layout: str
    meaning: str
    images_of: Mapping[str, int]

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.images_of.items())[: 2 * SHOWN])
        more = f" and {len(self.images_of) - 2 * SHOWN} more" if len(self.images_of) > 2 * SHOWN else ""
        return f"{self.meaning} ({counts}{more})"


class AmbiguousLayout(DataError):
    """A folder can be understood in more than one way, and a person has to say which is meant.

    Attributes:
        readings: the ways.
        spans: whether the top folders are also called as spans are, so that {SPAN} in data.path is one more way.
    """

    def __init__(self, readings: Sequence[Reading], spans: bool = False):
        self.readings = tuple(readings)
        self.spans = spans
        ways = "; or ".join(f"{reading.layout}: {reading}" for reading in readings)
        span = "; or, if they are days or numbers, add /{SPAN} to data.path" if spans else ""
        super().__init__(
            f"got a folder that can be read in {len(readings)} ways, expected one ({ways}): "
            f"say which with data.layout (effnet init --layout), or name the classes in data.classes{span}"
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
    set_aside = [line for plan in plans.values() for line in plan.rejected]
    classes = _check_classes(list(configured_classes) or sorted(found), found, bool(configured_classes), set_aside)
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
        reading=next(iter(plans.values())).reading if plans else "",
    )


def _check_classes(classes: list[str], filled: set[str], configured: bool, set_aside: Sequence[Rejected]) -> list[str]:
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
        raise DataError(f"got {got}, expected at least two classes: add images of another{why(set_aside)}")
    return classes


def why(set_aside: Sequence[Rejected]) -> str:
    """Says what was set aside for a fault, one file for each reason: it may be why a class is missing."""
    faults = [line for line in set_aside if line.reason not in NO_FAULT]
    first = {line.reason: line for line in reversed(faults)}
    counts = Counter(line.reason for line in faults)
    told = [f"{counts[reason]} {reason}, such as {first[reason].path}: {first[reason].message}" for reason in counts]
    return f" (set aside: {'; '.join(told[:SHOWN])})" if told else ""


def mixed(images: Sequence[ImageFile], seed: int) -> list[ImageFile]:
    """Returns the images in an order that mixes the classes, the same one each time for a seed."""
    return sorted(images, key=lambda image: hashlib.sha256(f"{seed}:{image.path}".encode()).digest())
