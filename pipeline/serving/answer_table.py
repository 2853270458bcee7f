"""The table of answers for a folder, a CSV file; a run that was interrupted is resumed.

While it is written it is called <name>.<key>.partial; the key names the model and the images that were asked for, so
that no table ever mixes the answers of two models. It gets its own name once it is whole. A path whose bytes are not
UTF-8 stands in it as messages show it, so that every reader of CSV takes the table.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from components.common.printable import printable
from pipeline.serving.classifier import DIGITS, Answer

COLUMNS = ("path", "class", "probability", "second class", "its probability", "error")
KNOWN = "known"  # the last column, of models with serving.known_precision
YES_OR_NO = {True: "yes", False: "no", None: ""}


class AnswerTable:
    """Use as a context manager; the file gets its own name when the block ends without an error."""

    def __init__(self, path: Path, model: str, asked: Sequence[str], says_known: bool = False):
        """Resumes a table that was begun before.

        Args:
          path: of the table.
          model: what tells the model apart.
          asked: the folders and files that were asked for.
          says_known: whether the model says what it knows.
        """
        key = hashlib.sha256("\0".join([model, *asked]).encode(errors="surrogateescape")).hexdigest()[:8]
        self._path = path
        self._partial = path.with_name(f"{path.name}.{key}.partial")
        self._columns = (*COLUMNS, KNOWN) if says_known else COLUMNS
        self._done: Counter[str] = Counter()
        self._file: IO[str] | None = None

    def __enter__(self) -> "AnswerTable":
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        again = self._partial.with_name(f"{self._partial.name}.new")
        with again.open("w", encoding="utf-8", newline="") as file:
            writer = _writer(file)
            writer.writerow(self._columns)
            for row in _whole_rows(self._partial, self._columns):
                writer.writerow(row)
                self._done[row[0]] += 1
        again.replace(self._partial)
        self._file = self._partial.open("a", encoding="utf-8", newline="")
        return self

    def left(self, paths: Iterable[str]) -> list[int]:
        """Returns the positions of the paths that have no row yet; a path that is named twice has two."""
        done = self._done.copy()
        positions = []
        for position, shown in enumerate(map(printable, paths)):
            if done[shown]:
                done[shown] -= 1
            else:
                positions.append(position)
        return positions

    def add(self, answers: Iterable[tuple[str, Answer | str]]) -> None:
        """Writes rows; they outlive a kill of this process."""
        assert self._file is not None
        rows = (_row(path, answer)[: len(self._columns)] for path, answer in answers)
        _writer(self._file).writerows(rows)
        self._file.flush()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        assert self._file is not None
        if kind is None:
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            self._partial.replace(self._path)


def _row(path: str, answer: Answer | str) -> tuple[object, ...]:
    if isinstance(answer, str):
        return printable(path), "", "", "", "", printable(" ".join(answer.split())), ""
    second, its_probability = answer.second
    best = answer.class_name, round(answer.probability, DIGITS)
    return printable(path), *best, second, round(its_probability, DIGITS), "", YES_OR_NO[answer.known]


def _whole_rows(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yields the rows of a table that was begun, without a last one that a kill has torn."""
    if not path.exists():
        return
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        torn = file.read() != b"\n"
    with path.open(encoding="utf-8", newline="", errors="replace") as file:
        before: list[str] = []
        try:
            for row in csv.reader(file, strict=True):
                if before not in ([], list(columns)):
                    yield before
                before = row
        except csv.Error:
            torn = False  # what cannot be read is the torn row, and the one before it is whole
        if not torn and len(before) == len(columns) and before != list(columns):
            yield before


def _writer(file: IO[str]) -> Any:
    return csv.writer(file, lineterminator="\n")
