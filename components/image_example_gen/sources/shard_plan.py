"""Plans the images in shards as if they were files."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from components.image_example_gen.sources.listing import Listing, Rejected
from components.image_example_gen.sources.plan import ImageFile, IngestPlan
from components.image_example_gen.sources.shards import Found
from components.image_example_gen.sources.split_names import split_of_word


def plan_shards(
    found: Iterable[Found | Rejected],
    listing: Listing,
    configured_classes: Sequence[str] = (),
    shards: Collection[str] = (),
) -> IngestPlan:
    """Plans the images in the shards of a folder.

    A shard whose path names a split, as birds-val-000.tar does, gives it to its images, if another one names train.

    Args:
        found: the content of the shards.
        listing: the content of the folder.
        configured_classes: the classes, if they are configured; a label that is a number and none of them is counted
            in them.
        shards: the paths of the shards in the folder; everything else there is ignored.
    """
    found = list(found)
    named_splits = any(isinstance(item, Found) and item.shard_split == "train" for item in found)
    images, rejected = [], list(listing.rejected)
    labels: dict[str, int] = {}
    for item in found:
        if isinstance(item, Rejected):
            rejected.append(item)
        elif item.split and not split_of_word(item.split):
            message = f"unknown split {item.split}: expected train, val or eval"
            rejected.append(Rejected(item.path, "bad_row", message))
        else:
            name = _class_name(item.label, configured_classes)
            label = labels.setdefault(name, len(labels))
            split = split_of_word(item.split) or (item.shard_split if named_splits else "")
            images.append(ImageFile(item.path, item.size, label, split, item.group, item.shard, item.offset))
    rejected += [
        Rejected(entry.path, "ignored", "is beside the shards") for entry in listing.files if entry.path not in shards
    ]
    return IngestPlan(
        images=sorted(images, key=lambda image: image.path),
        classes=list(labels),
        given_splits=frozenset(image.split for image in images if image.split),
        rejected=sorted(rejected),
        empty_classes=[],
        reading=f"{len(shards)} shards: {_kinds(shards)}",
    )


def _class_name(label: str, configured_classes: Sequence[str]) -> str:
    if label not in configured_classes and label.isascii() and label.isdecimal() and len(label) < 10:
        return configured_classes[int(label)] if int(label) < len(configured_classes) else label
    return label


def _kinds(shards: Collection[str]) -> str:
    """The shards by the ends of their names."""
    ends = Counter(re.sub(r"\d+", "0", path.rpartition("/")[2].partition(".")[2]) or "no suffix" for path in shards)
    return ", ".join(f"{count} {end}" for end, count in ends.most_common(3))
