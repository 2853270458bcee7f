"""Decides whether the top folders are classes or splits: by their structure, and by their names in any case."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from components.common.errors import DataError
from components.image_example_gen.sources.listing import Listing
from components.image_example_gen.sources.plan import AmbiguousLayout, Reading, why
from components.image_example_gen.sources.settings import AUTO, CLASSES, SPLITS
from components.image_example_gen.sources.shards import is_image_name
from components.image_example_gen.sources.spans import are_spans
from components.image_example_gen.sources.split_names import says_unlabelled, split_of_name, split_of_word

# Between a split's folder and its classes, as in train/images/cat.
_BETWEEN = frozenset({"images", "imgs", "image", "data"})


@dataclass(frozen=True)
class FolderLayout:
    """Where the class folders lie.

    Attributes:
        name: "classes" or "splits".
        parents: folder that holds class folders, "" for the root -> the split of its files, "" if it has none.
        unlabelled: folders of a split without class folders: the classes of their files are unknown.
    """

    name: str
    parents: dict[str, str]
    unlabelled: tuple[str, ...] = ()


class _Tree:
    """The folders of a listing, and how many files are in them."""

    def __init__(self, listing: Listing):
        self._children: dict[str, list[str]] = defaultdict(list)
        for folder in listing.folders:
            self._children[_parent(folder)].append(folder)
        self._images = Counter(_parent(entry.path) for entry in listing.files if is_image_name(entry.path))
        self._below: Counter[str] = Counter()
        for folder, count in Counter(_parent(entry.path) for entry in listing.files).items():
            while folder:
                self._below[folder] += count
                folder = _parent(folder)

    def folders(self, folder: str) -> list[str]:
        return self._children[folder]

    def images_in(self, folder: str) -> int:
        """Files with an image's name in the folder itself."""
        return self._images[folder]

    def files_below(self, folder: str) -> int:
        return self._below[folder]


@dataclass(frozen=True)
class _Top:
    """A top folder: its name, where its own folders lie, and their names."""

    path: str
    inner: str
    below: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def choose_layout(
    listing: Listing, wanted: str = AUTO, configured_classes: Sequence[str] = (), may_be_wrapped: bool = True
) -> FolderLayout:
    """Returns where the classes lie.

    Folders whose names are those of splits, and have folders of the same names in them, are splits. What cannot be
    told is not guessed.

    Args:
        listing: of the folder.
        wanted: "classes" or "splits" if a person has said so, else "auto".
        configured_classes: their names tell classes from splits, too.
        may_be_wrapped: a folder that holds nothing but one folder of folders is skipped.

    Raises:
        DataError: there is no class folder.
        AmbiguousLayout: there are two readings, or the folders of splits and of classes lie side by side.
    """
    tree = _Tree(listing)
    root = _only_folder(tree, "", set(configured_classes)) if may_be_wrapped else ""
    tops = [_look_into(tree, folder) for folder in tree.folders(root)]
    if not tops:
        raise DataError(
            "got no folder below data.path, expected one per class: put each class's images in a folder"
            + why(listing.rejected)
        )
    classes = FolderLayout(CLASSES, {root: "train" if split_of_word(_name(root)) == "train" else ""})
    if wanted == CLASSES or (wanted == AUTO and configured_classes and _are_named(configured_classes, tops)):
        return classes
    with_folders = [top for top in tops if top.below]
    splits = _splits(tree, tops, with_folders)
    below = frozenset[str]().union(*(top.below for top in with_folders))
    if wanted == SPLITS or (wanted == AUTO and configured_classes and below.issuperset(configured_classes)):
        if not with_folders:
            raise DataError("got data.layout=splits and no folders below the top ones, expected the classes there")
        return splits
    return _tell(tree, tops, with_folders, classes, splits)


def _tell(
    tree: _Tree, tops: list[_Top], with_folders: list[_Top], classes: FolderLayout, splits: FolderLayout
) -> FolderLayout:
    """Returns the one of two readings that the folders speak for."""
    if not with_folders:
        flat = {top.name: split_of_word(top.name) for top in tops if split_of_word(top.name)}
        if len(set(flat.values())) > 1 and ("train" in flat.values() or len(flat) == len(tops)):
            raise DataError(
                f"got images without classes in {', '.join(flat)}, which are names of splits, "
                "expected class folders in each, or a label file: add one, or set data.layout=classes (effnet init "
                "--layout classes) if these are the classes"
            )
        return classes
    named = {top.path: split_of_name(top.name) for top in with_folders if split_of_name(top.name)}
    rest = [top.name for top in tops if top.path not in named and top.path not in splits.unlabelled]
    several = len(set(named.values())) > 1
    trained = "train" in named.values()
    alike = len({top.below for top in with_folders}) == 1 and len(with_folders[0].below) > 1
    shared = _share_folders([top for top in with_folders if top.path in named])
    plain = all(split_of_word(top.name) for top in with_folders if top.path in named)
    if trained and not rest and ((several and (plain or shared)) or (plain and len(named) == 1)):
        return splits
    everywhere = len(with_folders) == len(tops) > 1 and not any(tree.images_in(top.path) for top in with_folders)
    spans = everywhere and are_spans(top.name for top in tops) and _have_all_one_in_common(with_folders)
    # train/cat beside cat: either train is a split and the others are left over, or there are three classes.
    doubled = any(top.below.intersection(rest) for top in with_folders if top.path in named)
    if (several and (plain or shared)) or (alike and everywhere) or spans or doubled:
        readings = [_classes_reading(tree, tops), _splits_reading(tree, with_folders, splits, rest)]
        raise AmbiguousLayout(readings, spans)
    return classes


def _splits(tree: _Tree, tops: list[_Top], with_folders: list[_Top]) -> FolderLayout:
    empty_handed = [top for top in tops if not top.below]
    unlabelled = [top.path for top in empty_handed if split_of_name(top.name) or says_unlabelled(top.name)]
    return FolderLayout(SPLITS, {top.inner: split_of_name(top.name) for top in with_folders}, tuple(unlabelled))


def _have_all_one_in_common(tops: list[_Top]) -> bool:
    return bool(frozenset.intersection(*(top.below for top in tops)))


def _share_folders(tops: list[_Top]) -> bool:
    counts = Counter(name for top in tops for name in top.below)
    return any(count > 1 for count in counts.values())


def _are_named(configured: Sequence[str], tops: list[_Top]) -> bool:
    return {top.name for top in tops}.issuperset(configured)


def _look_into(tree: _Tree, folder: str) -> _Top:
    """Skips a folder that only repeats its parent's name (seg_train/seg_train), or is called images (test/images)."""
    inner = folder
    while len(below := tree.folders(inner)) == 1 and not tree.images_in(inner):
        name = _name(below[0]).lower()
        if name != _name(inner).lower() and name not in _BETWEEN:
            break
        inner = below[0]
    return _Top(folder, inner, frozenset(map(_name, tree.folders(inner))))


def _only_folder(tree: _Tree, folder: str, classes: set[str]) -> str:
    """Skips folders that hold nothing but one other folder, which has folders itself."""
    while len(below := tree.folders(folder)) == 1 and not tree.images_in(folder):
        if not tree.folders(below[0]) or tree.images_in(below[0]) or _name(below[0]) in classes:
            break
        folder = below[0]
    return folder


def _classes_reading(tree: _Tree, tops: list[_Top]) -> Reading:
    counts = {top.name: tree.files_below(top.path) for top in tops}
    return Reading(CLASSES, f"{len(tops)} classes, the top folders", counts)


def _splits_reading(tree: _Tree, with_folders: list[_Top], splits: FolderLayout, rest: list[str]) -> Reading:
    counts: Counter[str] = Counter()
    for top in with_folders:
        for folder in tree.folders(top.inner):
            counts[_name(folder)] += tree.files_below(folder)
    named = ", ".join(f"{top.name} is {splits.parents[top.inner] or 'no split'}" for top in with_folders)
    left = [name for name in rest if name not in {top.name for top in with_folders}]
    aside = f"; {', '.join(left)} left out" if left else ""
    return Reading(SPLITS, f"{len(counts)} classes, the folders below them; {named}{aside}", dict(counts))


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
