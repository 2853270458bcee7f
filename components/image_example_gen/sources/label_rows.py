"""Reads the rows of a label file: the image that each means, and its class; or what is wrong with it."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.image_example_gen.sources.columns import CHOSEN, Columns
from components.image_example_gen.sources.csv_json_tables import NotARow, Table
from components.image_example_gen.sources.file_names import FileNames, NoFile
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.split_names import split_of_word
from components.image_example_gen.sources.values import NoText, SeveralValues, plain_text

_PARTS = re.compile(r" *[|;,] *")


@dataclass(frozen=True)
class LabelFile:
    """A label file that has been read, and its columns."""

    table: Table
    columns: Columns

    @property
    def folder(self) -> str:
        """The label file's own folder, below the root."""
        return posixpath.dirname(self.table.name)

    @property
    def hint(self) -> str:
        """As `hint_of`."""
        return hint_of(self.table.name)


@dataclass(frozen=True)
class Row:
    """A row that names an image and its class."""

    path: str
    label: str
    split: str
    group: str
    file: str


def hint_of(name: str) -> str:
    """Returns a label file's name without extension: train.csv names the images in train/, whatever test/ has."""
    return posixpath.splitext(posixpath.basename(name))[0]


def read_rows(
    label_file: LabelFile, names: FileNames, unreadable: dict[str, Rejected]
) -> tuple[list[Row], list[Rejected]]:
    """Returns the rows of a label file that name an image and its class, and what is wrong with the others.

    Args:
        label_file: of which.
        names: the files that there are.
        unreadable: path -> why a file cannot be read, which is more to say than that it is missing.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    seen: set[tuple[str, str]] = set()
    table, columns = label_file.table, label_file.columns
    single = _single_labels(table, columns)
    for line, values in table.rows:
        where = f"{table.name} line {line}"
        try:
            if isinstance(values, NotARow):
                raise _BadRow("bad_row", values.reason)
            given = plain_text(values.get(columns.image))
            if not given:
                raise _BadRow("bad_row", f"the row has no {columns.image}")
            where = given
            row = _read_row(values, given, label_file, names, single)
            if (row.path, row.label) in seen:
                raise _BadRow("repeated", f"{table.name} line {line} repeats an earlier row")
        except _BadRow as error:
            known = unreadable.get(where) if error.reason == "missing" else None
            rejected.append(known or Rejected(where, error.reason, str(error)))
        except SeveralValues as error:
            rejected.append(Rejected(where, "multi_label", f"{error}, expected one for each image"))
        except NoText as error:
            rejected.append(Rejected(where, "bad_row", str(error)))
        else:
            seen.add((row.path, row.label))
            rows.append(row)
    return rows, rejected


def none_exists(label_file: LabelFile) -> str:
    """The message for a label file that names no existing file."""
    rows = [row for _, row in label_file.table.rows if not isinstance(row, NotARow)]
    first = next((str(row.get(label_file.columns.image)) for row in rows), "")
    return (
        f"none of the {len(label_file.table.rows)} files that {label_file.table.name} names exists, such as {first}: "
        "correct the paths, which are relative to the label file's folder, or data.path"
    )


class _BadRow(ValueError):
    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def _read_row(
    values: Mapping[str, object], given: str, label_file: LabelFile, names: FileNames, single: set[str]
) -> Row:
    columns = label_file.columns
    path = names.find(given, label_file.folder, label_file.hint)
    if isinstance(path, NoFile):
        raise _BadRow(path.reason, path.message)
    label = _label(values, columns, single)
    if not label:
        raise _BadRow("bad_row", f"the row has no {columns.label or 'class: all its columns are 0'}")
    word = plain_text(values.get(columns.split)) if columns.split else ""
    split = split_of_word(word)
    if word and not split:
        raise _BadRow("bad_row", f"unknown split {word}: expected train, val or eval")
    group = plain_text(values.get(columns.group)) if columns.group else ""
    return Row(path, label, split, group, label_file.table.name)


def _label(values: Mapping[str, object], columns: Columns, single: set[str]) -> str:
    if columns.one_hot:
        meant = [name for name in columns.one_hot if plain_text(values.get(name)).lower() in CHOSEN]
        return plain_text(meant)
    label = plain_text(values.get(columns.label))
    parts = [part for part in _PARTS.split(label) if part]
    # A comma may belong to a class's name; a list it is if each part is a class by itself.
    known = single.issuperset(parts) if "," in label else not single.isdisjoint(parts)
    if label not in single and len(parts) > 1 and known:
        raise SeveralValues(f"{len(parts)} labels ({', '.join(parts)})")
    return label


def _single_labels(table: Table, columns: Columns) -> set[str]:
    """The labels without a separator in them: a list such as "cat|dog" is one of several of these."""
    rows = [row for _, row in table.rows if not isinstance(row, NotARow)]
    labels = {value for row in rows if isinstance(value := row.get(columns.label), str)}
    return {label.strip() for label in labels if not _PARTS.search(label)} - {""}
