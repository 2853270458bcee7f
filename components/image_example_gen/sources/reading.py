"""Understands one folder: class folders, split folders, or label files beside the images; and says which it took."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from components.common import files
from components.common.errors import DataError
from components.image_example_gen.sources.csv_json_tables import MOST_BYTES
from components.image_example_gen.sources.file_names import FileNames
from components.image_example_gen.sources.folders import plan_folders
from components.image_example_gen.sources.label_rows import LabelFile
from components.image_example_gen.sources.labels import find_label_files, open_label_file, plan_labels
from components.image_example_gen.sources.listing import Listing, Rejected
from components.image_example_gen.sources.plan import AmbiguousLayout, IngestPlan, Reading
from components.image_example_gen.sources.settings import AUTO, CLASSES, LABELS, SPLITS, ReadingSettings
from components.image_example_gen.sources.zip_archive import Opened, open_archives, read_member

# Names that say that the file is the data set's own list of its images: Hugging Face's and Roboflow's.
_OWN_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "_classes.csv")


@dataclass(frozen=True)
class Folder:
    """A folder to be understood.

    Attributes:
        root: its path.
        listing: its content.
        label_file: the one that data.path names, "" if it names the folder.
        is_span: it is one of several, so that it may well have a single class.
    """

    root: str
    listing: Listing
    label_file: str = ""
    is_span: bool = False


def plan_folder(folder: Folder, settings: ReadingSettings, configured_classes: Sequence[str] = ()) -> IngestPlan:
    """Plans the images of a folder; zip archives in it count as folders.

    Raises:
        DataError: nothing can be learned from it as it is.
        AmbiguousLayout: it can be understood in two ways.
    """
    opened = open_archives(folder.listing, folder.root)
    reader = _Reader(folder, opened, settings, configured_classes)
    return _located(reader.plan(), opened)


class _Reader:
    def __init__(self, folder: Folder, opened: Opened, settings: ReadingSettings, classes: Sequence[str]):
        self._folder, self._opened, self._settings, self._classes = folder, opened, settings, classes
        self._listing = opened.listing
        self._names = FileNames(folder.root, (entry.path for entry in self._listing.files))

    def plan(self) -> IngestPlan:
        if name := self._folder.label_file:
            return self._by_labels([open_label_file(self._read(name), name, self._names, self._settings)])
        if self._settings.layout in (CLASSES, SPLITS):
            return self._by_folders()
        label_files, problems = find_label_files(self._listing, self._names, self._read, self._settings)
        if self._settings.layout == LABELS or self._settings.image_column or self._settings.label_column:
            if not label_files:
                raise DataError(_first(problems) or "got no label file among the images, expected one (data.layout)")
            return self._by_labels(label_files, problems)
        return self._tell(label_files, problems)

    def _tell(self, label_files: list[LabelFile], problems: list[Rejected]) -> IngestPlan:
        """Returns the one of two readings that holds; stops where both do and contradict each other."""
        folders = self._try(self._by_folders)
        if not label_files:
            if folders is None and problems:
                raise DataError(_first(problems))
            return _with_problems(folders or self._by_folders(), problems)
        if folders is None:
            return self._by_labels(label_files, problems)
        own = any(one.table.name.rpartition("/")[2].lower() in _OWN_LISTS for one in label_files)
        if own or any(one.columns.split or one.columns.group for one in label_files):
            return self._by_labels(label_files, problems)
        labels = self._try(lambda: self._by_labels(label_files, problems))
        if labels is None or _agree(folders, labels) or set(self._classes) & set(folders.classes):
            return folders
        if set(self._classes) & set(labels.classes):
            return labels
        raise AmbiguousLayout(
            [
                Reading(CLASSES, f"{len(folders.classes)} classes, {folders.reading}", _counts(folders)),
                Reading(LABELS, f"{len(labels.classes)} classes, {labels.reading}", _counts(labels)),
            ]
        )

    def _try(self, plan: Callable[[], IngestPlan]) -> IngestPlan | None:
        """Returns a plan that can be learned from, None if this one cannot."""
        try:
            found = plan()
        except DataError:
            return None
        return found if len(found.classes) > 1 else None

    def _by_folders(self) -> IngestPlan:
        wanted = self._settings.layout if self._settings.layout in (CLASSES, SPLITS) else AUTO
        return plan_folders(self._listing, wanted, self._classes, may_be_wrapped=not self._folder.is_span)

    def _by_labels(self, label_files: list[LabelFile], problems: Sequence[Rejected] = ()) -> IngestPlan:
        plan = plan_labels(label_files, self._names, self._listing)
        named = {line.path for line in problems}
        return replace(plan, rejected=sorted([*(line for line in plan.rejected if line.path not in named), *problems]))

    def _read(self, path: str) -> bytes:
        if member := self._opened.members.get(path):
            return read_member(member, MOST_BYTES)
        return files.read_bytes(files.join(self._folder.root, path))


def _with_problems(folders: IngestPlan, problems: Sequence[Rejected]) -> IngestPlan:
    """Says of files beside the class folders why they were not taken for label files."""
    known = {line.path: line for line in problems}
    return replace(folders, rejected=[known.get(line.path, line) for line in folders.rejected])


def _located(plan: IngestPlan, opened: Opened) -> IngestPlan:
    """Says of images in archives in which bytes of them they are."""
    if not opened.members:
        return plan
    images = []
    for image in plan.images:
        if member := opened.members.get(image.path):
            image = replace(
                image, shard=member.archive, offset=member.offset, size=member.size, inflated=member.inflated
            )
        images.append(image)
    return replace(plan, images=images)


def _agree(folders: IngestPlan, labels: IngestPlan) -> bool:
    """Tells whether label files only repeat, by whatever names, the classes of the folders."""
    by_folder = {image.path: folders.classes[image.label] for image in folders.images}
    pairs: dict[str, set[str]] = defaultdict(set)
    for image in labels.images:
        if image.path in by_folder:
            pairs[labels.classes[image.label]].add(by_folder[image.path])
    taken = [name for names in pairs.values() for name in names]
    return all(len(names) == 1 for names in pairs.values()) and len(taken) == len(set(taken))


def _counts(plan: IngestPlan) -> dict[str, int]:
    return dict(Counter(plan.classes[image.label] for image in plan.images))


def _first(problems: Sequence[Rejected]) -> str:
    """What is wrong with the label file that most likely was meant as one: JSON is often something else."""
    ordered = sorted(problems, key=lambda line: line.path.endswith(".json"))
    return next((line.message for line in ordered), "")
