"""Reads a manifest: a CSV file with a header, or a JSONL file, with a row an image.

path    relative to the manifest's folder, with slashes; it may not leave that folder
label   name of the class
split   train, val or eval (also validation, valid, test); optional, empty: the split rule decides
group   images of one group fall into one split; optional
"""

import csv
import io
import json
from collections.abc import Iterator

from components.common.errors import DataError
from components.image_example_gen.sources.folders import SPLIT_FOLDERS, ImageFile, IngestPlan
from components.image_example_gen.sources.listing import Listing, Rejected

SUFFIXES = (".csv", ".jsonl")
REQUIRED = ("path", "label")
_NOT_A_ROW = "no JSON object"


def plan_manifest(content: bytes, name: str, listing: Listing) -> IngestPlan:
    """Plans the images of a manifest.

    Args:
        content: the manifest.
        name: its file name, relative to the folder; the suffix tells the format.
        listing: what lies in the folder.

    Returns:
        the plan; every row is in it, as an image or with the reason why not, and so is every file without a row.

    Raises:
        DataError: if the manifest is not UTF-8 or has no column `path` or `label`.
    """
    try:
        text = content.decode("utf-8-sig")  # spreadsheets begin a CSV file with a mark
    except UnicodeDecodeError as error:
        raise DataError(f"got {name} in another encoding than UTF-8 ({error.reason}): save it as UTF-8") from error
    rows = list(_jsonl_rows(text) if name.lower().endswith(".jsonl") else _csv_rows(text, name))
    classes = sorted({row["label"] for _, row in rows if row.get("label")})
    labels = {class_name: label for label, class_name in enumerate(classes)}
    sizes = {entry.path: entry.size for entry in listing.files}
    unreadable = {rejected.path: rejected for rejected in listing.rejected}
    images: dict[tuple[str, int], ImageFile] = {}
    rejected: list[Rejected] = []
    for line, row in rows:
        where = row.get("path") or f"{name} line {line}"
        if problem := _problem(row, sizes):
            known = unreadable.pop(where, None) if problem[0] == "missing" else None
            rejected.append(known or Rejected(where, *problem))
        elif (row["path"], labels[row["label"]]) in images:
            rejected.append(Rejected(where, "repeated", f"{name} line {line} repeats an earlier row"))
        else:
            label = labels[row["label"]]
            split = SPLIT_FOLDERS[row["split"]] if row.get("split") else ""
            images[row["path"], label] = ImageFile(where, sizes[where], label, split, row.get("group", ""))
    named = {path for path, _ in images} | {line.path for line in rejected} | {name}
    beside = [Rejected(path, "ignored", f"{name} does not name it") for path in sizes if path not in named]
    left = [Rejected(entry.path, "ignored", entry.message) for entry in unreadable.values()]
    return IngestPlan(
        images=sorted(images.values(), key=lambda image: image.path),
        classes=classes,
        given_splits=frozenset(image.split for image in images.values() if image.split),
        rejected=sorted([*rejected, *beside, *left]),
        empty_classes=[],
    )


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    if missing := [column for column in REQUIRED if column not in (reader.fieldnames or ())]:
        raise DataError(
            f"got {name} with the columns {', '.join(reader.fieldnames or ()) or 'none'}, expected also "
            f"{', '.join(missing)}: name them in its first line"
        )
    for row in reader:
        yield reader.line_num, {key: value.strip() for key, value in row.items() if isinstance(value, str)}


def _jsonl_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            yield number, {"": _NOT_A_ROW}
            continue
        yield number, {key: str(value).strip() for key, value in row.items() if value is not None}


def _problem(row: dict[str, str], sizes: dict[str, int]) -> tuple[str, str] | None:
    """Returns reason and message of what is wrong with a row, None if nothing is."""
    path = row.get("path", "")
    if row.get("") == _NOT_A_ROW:
        return "bad_row", "the line is no JSON object"
    if not path or not row.get("label"):
        return "bad_row", f"the row has no {'label' if path else 'path'}"
    if path.startswith(("/", "\\")) or "://" in path or ".." in path.replace("\\", "/").split("/"):
        return "outside_root", "the path leaves the manifest's folder: name files below it"
    if row.get("split") and row["split"] not in SPLIT_FOLDERS:
        return "bad_row", f"unknown split {row['split']}: expected train, val or eval"
    if path not in sizes:
        return "missing", "the manifest names it, but there is no such file"
    return None
