"""Plans the images that label files name: one that data.path names, or those that lie among the images."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from components.common.errors import DataError
from components.image_example_gen.sources.columns import choose_columns
from components.image_example_gen.sources.csv_json_tables import is_table_name, read_table
from components.image_example_gen.sources.file_names import FileNames
from components.image_example_gen.sources.label_rows import LabelFile, Row, hint_of, none_exists, read_rows
from components.image_example_gen.sources.listing import Listing, Rejected
from components.image_example_gen.sources.plan import AmbiguousLayout, ImageFile, IngestPlan, Reading
from components.image_example_gen.sources.settings import LABELS, ReadingSettings
from components.image_example_gen.sources.shards import is_image_name
from components.image_example_gen.sources.split_names import split_of_name

MOST_TABLES = 50  # that are opened in a folder; more are notes beside single images
_SAMPLE_ANSWERS = re.compile(r"sample[ _-]?sub|submission", re.IGNORECASE)  # Kaggle's, with a made-up class in each row


def find_label_files(
    listing: Listing, names: FileNames, read: Callable[[str], bytes], settings: ReadingSettings
) -> tuple[list[LabelFile], list[Rejected]]:
    """Returns the label files of a folder whose rows name files in it, and what is wrong with the others."""
    tables = [
        entry.path for entry in listing.files if is_table_name(entry.path) and not _SAMPLE_ANSWERS.search(entry.path)
    ]
    tables.sort(key=lambda path: (path.count("/"), path))
    found, problems = [], []
    for path in tables[:MOST_TABLES]:
        try:
            label_file = open_label_file(read(path), path, names, settings)
        except (DataError, OSError, MemoryError) as error:
            problems.append(Rejected(path, "bad_label_file", str(error)))
            continue
        if label_file.columns.found:
            found.append(label_file)
        elif label_file.table.rows:
            problems.append(Rejected(path, "bad_label_file", none_exists(label_file)))
    return found, problems


def open_label_file(content: bytes, name: str, names: FileNames, settings: ReadingSettings) -> LabelFile:
    """Reads a label file and tells its columns.

    Raises:
        DataError: it is damaged, or has no column with the image or with its class.
    """
    table = read_table(content, name)
    folder, hint = posixpath.dirname(name), hint_of(name)
    columns = choose_columns(table, settings, lambda value: isinstance(names.find(value, folder, hint), str))
    return LabelFile(table, columns)


def plan_labels(label_files: Sequence[LabelFile], names: FileNames, listing: Listing) -> IngestPlan:
    """Plans the images of label files.

    Returns:
        the plan; every row is in it, as an image or with the reason why not, and so is every file without a row.

    Raises:
        DataError: no row names a file.
        AmbiguousLayout: two label files give one image different classes.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    for label_file in label_files:
        own_rows, own_rejected = read_rows(label_file, names, {line.path: line for line in listing.rejected})
        if not own_rows and own_rejected and all(line.reason == "missing" for line in own_rejected):
            raise DataError(none_exists(label_file))
        rows += own_rows
        rejected += own_rejected
    _check_agreement(rows)
    classes = sorted({row.label for row in rows})
    labels = {class_name: label for label, class_name in enumerate(classes)}
    sizes = {entry.path: entry.size for entry in listing.files}
    given = _splits_of(rows)
    images = {}
    for row in rows:
        image = ImageFile(row.path, sizes[row.path], labels[row.label], given[row.path], row.group)
        images[row.path, row.label] = image
    named = {row.path for row in rows} | {line.path for line in rejected}
    tables = {label_file.table.name for label_file in label_files}
    return IngestPlan(
        images=sorted(images.values(), key=lambda image: image.path),
        classes=classes,
        given_splits=frozenset(given.values()) - {""},
        rejected=sorted([*rejected, *_beside(listing, named, tables)]),
        empty_classes=[],
        reading="; ".join(f"{one.table.name}: {one.table.kind}, {one.columns}" for one in label_files[:3]),
    )


def _check_agreement(rows: Iterable[Row]) -> None:
    """Stops where two label files contradict each other; one that does so itself is the ingest's to judge."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        labels[row.path][row.file] = row.label
    if any(len(set(said.values())) > 1 for said in labels.values()):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            counts[row.file][row.label] += 1
        raise AmbiguousLayout(
            [Reading(LABELS, f"data.path={file}, {len(of)} classes", dict(of)) for file, of in sorted(counts.items())]
        )


def _splits_of(rows: Sequence[Row]) -> dict[str, str]:
    """Path -> its split: as its row says, else its label file's name, else its folder's; "" if none of them does."""
    of_file = {file: split_of_name(file) for file in {row.file for row in rows}}
    of_folder = {folder: split_of_name(folder) for folder in {row.path.rpartition("/")[0] for row in rows}}
    files_say = "train" in of_file.values()
    folders_say = "train" in of_folder.values()
    return {
        row.path: row.split
        or (of_file[row.file] if files_say else "")
        or (of_folder[row.path.rpartition("/")[0]] if folders_say else "")
        for row in rows
    }


def _beside(listing: Listing, named: set[str], tables: set[str]) -> list[Rejected]:
    """Returns the files that no row names."""
    beside = []
    for entry in listing.files:
        if entry.path in named or entry.path in tables:
            continue
        reason = "unlabelled" if is_image_name(entry.path) else "ignored"
        beside.append(Rejected(entry.path, reason, "no label file names it"))
    left = [Rejected(line.path, "ignored", line.message) for line in listing.rejected if line.path not in named]
    return [*beside, *left]
