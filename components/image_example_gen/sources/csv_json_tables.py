"""Reads a label file into rows: CSV with any usual separator, JSON lines, a JSON list of objects, or Parquet."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from components.common.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")
PARQUET = "metadata.parquet"  # Hugging Face's third form of the table beside images
MOST_BYTES = 500_000_000
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class NotARow:
    """What stands where a row should be, and why it is none."""

    reason: str


Row = dict[str, Any] | NotARow


@dataclass(frozen=True)
class Table:
    """A label file's rows.

    Attributes:
        name: the file.
        columns: names, without blanks around them.
        rows: (line or number of the row, column -> value or what is wrong with it).
        kind: what it is, in words.
    """

    name: str
    columns: list[str]
    rows: list[tuple[int, Row]]
    kind: str


def is_table_name(path: str) -> bool:
    """Tells by its name whether a file may be a label file."""
    return path.lower().endswith((*SUFFIXES, PARQUET))


def read_table(content: bytes, name: str) -> Table:
    """Returns the rows of a label file.

    Raises:
        DataError: if it is damaged, too large, or no table.
    """
    if len(content) > MOST_BYTES:
        raise DataError(f"got {name} with more than {MOST_BYTES:,} bytes, expected a smaller table: split it")
    lower = name.lower()
    if lower.endswith(".parquet"):
        return _read_parquet(content, name)
    text = _decode(content, name)
    if lower.endswith(".jsonl"):
        return _of_objects(name, list(_json_lines(text)), "JSON lines")
    if lower.endswith(".json"):
        return _of_objects(name, list(_json_list(text, name)), "a JSON list")
    return _read_csv(text, name)


def _decode(content: bytes, name: str) -> str:
    # Spreadsheets begin a file with a mark, and write UTF-16 where they are asked for "Unicode text".
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"got {name} in another encoding than UTF-8 ({error.reason}): save it as UTF-8") from error
    if "\0" in text:  # UTF-16 without its mark, or no text at all
        raise DataError(f"got {name} in another encoding than UTF-8 (it has zero bytes): save it as UTF-8")
    return text


def _read_csv(text: str, name: str) -> Table:
    lines_before = 0
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own note
        text, lines_before = rest, 1
    head = io.StringIO(text, newline=None).readline()
    separator = max(SEPARATORS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, Row]] = []
    columns: list[str] = []
    line = 0
    try:
        for values in reader:
            line = reader.line_num
            if not columns:
                columns = _header(values, name)
            elif any(values):
                rows.append((line + lines_before, _row(columns, values)))
    except csv.Error as error:
        start = line + 1 + lines_before
        raise DataError(
            f"got {name} with a quote that is not closed, or stands within a value, in the row that begins in line "
            f'{start} ({error}): close it, or double it ("") within a value'
        ) from error
    known = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[separator]
    return Table(name, columns, rows, f"CSV with {known}")


def _header(values: Sequence[str], name: str) -> list[str]:
    columns = [value.strip() for value in values]
    if twice := [column for column, times in Counter(columns).items() if column and times > 1]:
        raise DataError(f"got {name} with the column {twice[0]} more than once, expected each once: rename one")
    return columns


def _row(columns: Sequence[str], values: Sequence[str]) -> Row:
    given = [value.strip() for value in values]
    if any(given[len(columns) :]):  # a comma in a value that is not in quotes: its end would be lost
        return NotARow(f"the row has {len(given)} values for {len(columns)} columns: put quotes around commas")
    return dict(zip(columns, given, strict=False))


def _json_lines(text: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else NotARow("the line is no JSON object")


def _json_list(text: str, name: str) -> Iterator[tuple[int, Row]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"cannot read {name} ({type(error).__name__}: {error}), expected a JSON list") from error
    if not isinstance(content, list):
        raise DataError(f"got {name} without a list of rows, expected one such as Label Studio's JSON-MIN export")
    if any(isinstance(row, dict) and "annotations" in row and "data" in row for row in content[:1]):
        raise DataError(f"got {name} as Label Studio's full export, expected its JSON-MIN or CSV: export it so")
    for number, row in enumerate(content, start=1):
        yield number, row if isinstance(row, dict) else NotARow("the member of the list is no object")


def _of_objects(name: str, rows: list[tuple[int, Row]], kind: str) -> Table:
    columns = dict.fromkeys(key for _, row in rows if not isinstance(row, NotARow) for key in row)
    return Table(name, list(columns), rows, kind)


def _read_parquet(content: bytes, name: str) -> Table:
    from components.image_example_gen.sources.parquet import open_parquet, parquet_errors

    try:
        file = open_parquet(io.BytesIO(content))
        rows = file.read().to_pylist()
    except parquet_errors() as error:
        raise DataError(f"cannot read {name} ({error}), expected a Parquet table") from error
    return _of_objects(name, list(enumerate(rows, start=1)), "Parquet")
