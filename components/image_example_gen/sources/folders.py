"""Reads classes and given splits from folder names: `<class>/**/*`, or `<split>/<class>/**/*`."""

from collections import Counter
from collections.abc import Sequence

from components.image_example_gen.sources.folder_layout import FolderLayout, choose_layout
from components.image_example_gen.sources.listing import Listing, Rejected
from components.image_example_gen.sources.plan import ImageFile, IngestPlan, combine
from components.image_example_gen.sources.settings import AUTO, SPLITS


def plan_ingest(listing: Listing, configured_classes: Sequence[str] = ()) -> IngestPlan:
    """Plans one folder; `choose_layout` and `combine` say what may be wrong."""
    return combine({"": plan_folders(listing, AUTO, configured_classes)}, configured_classes)


def plan_folders(
    listing: Listing, wanted: str = AUTO, configured_classes: Sequence[str] = (), may_be_wrapped: bool = True
) -> IngestPlan:
    """Sorts the files of `listing` into classes and splits by their folders; the arguments are `choose_layout`'s."""
    layout = choose_layout(listing, wanted, configured_classes, may_be_wrapped)
    images, rejected = [], list(listing.rejected)
    files_in: Counter[str] = Counter()
    labels: dict[str, int] = {}
    for entry in listing.files:
        parent, class_name = _place(entry.path, layout)
        if class_name:
            label = labels.setdefault(class_name, len(labels))
            images.append(ImageFile(entry.path, entry.size, label, layout.parents[parent]))
            files_in[f"{parent}/{class_name}".lstrip("/")] += 1
        elif any(entry.path.startswith(f"{folder}/") for folder in layout.unlabelled):
            rejected.append(Rejected(entry.path, "unlabelled", "is in a split without class folders"))
        else:
            message = "is beside the class folders: its class is unknown"
            rejected.append(Rejected(entry.path, "not_in_class_folder", message))
    class_folders = [folder for folder in listing.folders if folder.rpartition("/")[0] in layout.parents]
    splits = frozenset(layout.parents.values()) - {""}
    return IngestPlan(
        images=images,
        classes=list(labels),
        given_splits=splits,
        rejected=sorted(rejected),
        empty_classes=[folder for folder in class_folders if not files_in[folder]],
        reading=_in_words(layout),
    )


def _place(path: str, layout: FolderLayout) -> tuple[str, str]:
    """Returns the folder of class folders that a file lies below, and its class; "" if it has none."""
    parts = path.split("/")
    for depth in range(len(parts) - 1):
        parent = "/".join(parts[:depth])
        if parent in layout.parents:
            return parent, parts[depth]
    return "", ""


def _in_words(layout: FolderLayout) -> str:
    if layout.name != SPLITS:
        (folder,) = layout.parents
        return f"class folders{f' in {folder}' if folder else ''}"
    named = ", ".join(f"{folder} is {split or 'no split of its own'}" for folder, split in layout.parents.items())
    aside = f"; no classes in {', '.join(layout.unlabelled)}" if layout.unlabelled else ""
    return f"split folders with class folders in them: {named}{aside}"
