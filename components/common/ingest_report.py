"""What an ingest did: its classes, what it wrote and what it set aside.

The files of an `IngestReport` artifact:

    classes.json       ["cat", "dog"]: class names in the order of their labels
    quarantine.jsonl   one line for each file that became no example: {"path", "reason", "message"}
    summary.json       the fields of `IngestSummary`
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.common import files
from components.common.errors import DataError
from components.common.json_types import Parsed

CLASSES_FILE = "classes.json"
QUARANTINE_FILE = "quarantine.jsonl"
SUMMARY_FILE = "summary.json"
# The reasons of hidden files and of what operating systems leave behind, and of images that nobody has labelled: named,
# but no fault of the data.
IGNORED, UNLABELLED = NO_FAULT = ("ignored", "unlabelled")


@dataclass(frozen=True)
class IngestSummary:
    """Numbers of one ingest.

    Attributes:
        root: the image folder.
        fingerprint: hash of the names, sizes and times of its files.
        found: files in it; equal to the written and the quarantined together.
        written: split -> class -> examples; every split and class is there, with 0 if need be.
        quarantined: reason -> files that became no example, "ignored" ones included.
        reencoded: reason ("format", "orientation", ...) -> images whose bytes were replaced by a PNG.
        given_splits: splits that the folders name; the others were cut by the split rule.
        empty_class_folders: class folders without a file.
        identical_files: files whose bytes another file has as well.
        near_duplicates: images that are near copies of another one (scaled, encoded anew), beyond the identical files.
        profile: what the images are like, see components.common.profile.
        warnings: one line each for what a person should look at.
    """

    root: str
    fingerprint: str
    found: int
    written: dict[str, dict[str, int]]
    quarantined: dict[str, int] = field(default_factory=dict)
    reencoded: dict[str, int] = field(default_factory=dict)
    given_splits: list[str] = field(default_factory=list)
    empty_class_folders: list[str] = field(default_factory=list)
    identical_files: int = 0
    near_duplicates: int = 0
    profile: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """The class names in the order of their labels."""
        return list(next(iter(self.written.values()), ()))

    @property
    def examples(self) -> int:
        """How many examples there are in all splits together."""
        return sum(map(self.images_of, self.written))

    def images_of(self, split: str) -> int:
        """How many examples a split has; 0 for one that is not there."""
        return sum(self.written.get(split, {}).values())

    @property
    def faulty(self) -> int:
        """How many files were quarantined for a fault; ignored and unlabelled ones have none."""
        return sum(count for reason, count in self.quarantined.items() if reason not in NO_FAULT)


def write_report(uri: str, classes: list[str], quarantine: Iterable[dict[str, str]], summary: IngestSummary) -> None:
    """Writes the three files below `uri`."""
    files.write_text(files.join(uri, CLASSES_FILE), json.dumps(classes, ensure_ascii=False, indent=0) + "\n")
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in quarantine)
    files.write_text(files.join(uri, QUARANTINE_FILE), lines)
    content = json.dumps(dataclasses.asdict(summary), ensure_ascii=False, indent=2)
    files.write_text(files.join(uri, SUMMARY_FILE), content + "\n")


def read_classes(uri: str) -> list[str]:
    """Returns the class names in the order of their labels.

    Raises:
        DataError: if the report below `uri` cannot be read.
    """
    classes = _read_json(files.join(uri, CLASSES_FILE))
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"got no list of names in {files.join(uri, CLASSES_FILE)}: run the ingest again")
    return classes


def read_summary(uri: str) -> IngestSummary:
    """Returns the summary.

    Raises:
        DataError: if the report below `uri` cannot be read.
    """
    content = _read_json(files.join(uri, SUMMARY_FILE))
    try:
        return IngestSummary(**content)
    except TypeError as error:
        raise DataError(f"got an unknown summary in {uri} ({error}): run the ingest again") from error


def read_quarantine(uri: str) -> list[dict[str, str]]:
    """Returns the path, reason and message of each file that became no example, sorted by path.

    Raises:
        DataError: if the report below `uri` cannot be read.
    """
    path = files.join(uri, QUARANTINE_FILE)
    try:
        return [json.loads(line) for line in files.read_bytes(path).splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}): run the ingest again") from error


def _read_json(path: str) -> Parsed:
    try:
        return json.loads(files.read_bytes(path))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}): run the ingest again") from error
