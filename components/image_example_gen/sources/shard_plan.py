"""Plans the images in shards as if they were files."""

from collections.abc import Iterable, Sequence

from components.image_example_gen.sources.folders import SPLIT_FOLDERS, ImageFile, IngestPlan
from components.image_example_gen.sources.listing import Listing, Rejected
from components.image_example_gen.sources.shards import Found, is_shard


def plan_shards(
    found: Iterable[Found | Rejected], listing: Listing, configured_classes: Sequence[str] = ()
) -> IngestPlan:
    """Plans the images in the shards of a folder.

    A shard whose path names a split, as birds-val-000.tar does, gives it to its images, if another one names train.

    Args:
        found: what lies in the shards.
        listing: what lies in the folder.
        configured_classes: the classes, if they are configured; a label that is a number and none of them is counted
            in them.
    """
    found = list(found)
    named_splits = any(isinstance(item, Found) and item.shard_split == "train" for item in found)
    images, rejected = [], list(listing.rejected)
    labels: dict[str, int] = {}
    for item in found:
        if isinstance(item, Rejected):
            rejected.append(item)
        elif item.split and item.split not in SPLIT_FOLDERS:
            message = f"unknown split {item.split}: expected train, val or eval"
            rejected.append(Rejected(item.path, "bad_row", message))
        else:
            name = _class_name(item.label, configured_classes)
            label = labels.setdefault(name, len(labels))
            split = SPLIT_FOLDERS.get(item.split, "") or (item.shard_split if named_splits else "")
            images.append(ImageFile(item.path, item.size, label, split, item.group, item.shard, item.offset))
    rejected += [
        Rejected(entry.path, "ignored", "lies beside the shards") for entry in listing.files if not is_shard(entry.path)
    ]
    return IngestPlan(
        images=sorted(images, key=lambda image: image.path),
        classes=list(labels),
        given_splits=frozenset(image.split for image in images if image.split),
        rejected=sorted(rejected),
        empty_classes=[],
    )


def _class_name(label: str, configured_classes: Sequence[str]) -> str:
    if label not in configured_classes and label.isascii() and label.isdecimal() and len(label) < 10:
        return configured_classes[int(label)] if int(label) < len(configured_classes) else label
    return label
