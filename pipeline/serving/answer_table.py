"""The table of answers for a folder, a CSV file that a run which was stopped goes on with.

While it is written it is called <name>.<key>.partial; the key names the model and the images that were asked for, so
that no table ever mixes the answers of two models. It gets its own name once it is whole.
"""

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pipeline.serving.classifier import DIGITS, Answer

COLUMNS = ("path", "class", "probability", "second class", "its probability", "error")


class AnswerTable:
    """Use as a context manager; the file gets its own name when the block ends without an error."""

    def __init__(self, path: Path, model: str, asked: Sequence[str]):
        """Takes up a table that was begun before.

        Args:
          path: of the table.
          model: what tells the model apart.
          asked: the folders and files that were asked for.
        """
        key = hashlib.sha256("\0".join([model, *asked]).encode(errors="surrogateescape")).hexdigest()[:8]
        self._path = path
        self._partial = path.with_name(f"{path.name}.{key}.partial")
        self.done: set[str] = set()
        self._file: IO[str] | None = None

    def __enter__(self) -> "AnswerTable":
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        again = self._partial.with_name(f"{self._partial.name}.new")
        with again.open("w", encoding="utf-8", newline="") as file:
            writer = _writer(file)
            writer.writerow(COLUMNS)
            for row in _whole_rows(self._partial):
                writer.writerow(row)
                self.done.add(row[0])
        again.replace(self._partial)
        self._file = self._partial.open("a", encoding="utf-8", newline="")
        return self

    def add(self, answers: Iterable[tuple[str, Answer | str]]) -> None:
        """Writes rows; they outlive a kill of this process."""
        assert self._file is not None
        _writer(self._file).writerows(_row(path, answer) for path, answer in answers)
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
        return path, "", "", "", "", " ".join(answer.split())
    second, its_probability = answer.second
    return path, answer.class_name, round(answer.probability, DIGITS), second, round(its_probability, DIGITS), ""


def _whole_rows(path: Path) -> Iterator[list[str]]:
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
                if before not in ([], list(COLUMNS)):
                    yield before
                before = row
        except csv.Error:
            torn = False  # what cannot be read is the torn row, and the one before it is whole
        if not torn and len(before) == len(COLUMNS) and before != list(COLUMNS):
            yield before


def _writer(file: IO[str]) -> Any:
    return csv.writer(file, lineterminator="\n")
