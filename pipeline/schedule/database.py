"""The history of scheduled runs: one SQLite file in the run's folder, with a row for each attempt.

The history is also the scheduler's memory: which times are settled, which attempt was under way when the machine
stopped, which images runs have read. There is no second store that could contradict it.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from components.common.json_types import Parsed
from pipeline.config.schedule import FOLDER
from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind

STORE_FILE = "history.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
  id INTEGER PRIMARY KEY, slot TEXT NOT NULL, kind TEXT NOT NULL, attempt INTEGER NOT NULL, verdict TEXT NOT NULL,
  why TEXT NOT NULL, settled INTEGER NOT NULL, started TEXT NOT NULL, fields TEXT NOT NULL, alert TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_slot ON attempts (slot, kind);
CREATE TABLE IF NOT EXISTS seen (listing INTEGER PRIMARY KEY, content INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_content ON seen (content);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_COLUMNS = ("slot", "kind", "attempt", "verdict", "why", "settled", "started", "alert")
BATCH = 500  # values in one query; SQLite allows 999 where it is old


class AttemptDatabase:
    """The history of one pipeline.

    Args:
      run_root: the pipeline's folder; the file in it is made when something is noted.
    """

    def __init__(self, run_root: Path):
        self.folder = run_root / FOLDER
        self.path = self.folder / STORE_FILE

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self.path.exists() and not os.access(self.path, os.W_OK):
            # Another user's, or on a read-only disk: it can still be read.
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, timeout=60, uri=True)) as connection:
                yield connection
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as connection:
            # After a kill the last complete transaction is there. Not WAL, which version 0.1.0 used: machines cannot
            # share it over a network drive (https://sqlite.org/wal.html).
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode=DELETE")
            connection.executescript(_SCHEMA)
            with connection:
                yield connection

    def attempts(self, last: int | None = None) -> list[Attempt]:
        """Returns the attempts, the oldest first; only the newest `last` of them unless that is None."""
        if not self.path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT id, {', '.join(_COLUMNS)}, fields FROM attempts ORDER BY id DESC LIMIT ?",
                (-1 if last is None else last,),
            ).fetchall()
        return [_attempt(row) for row in reversed(rows)]

    def of_slot(self, slot: datetime, kind: Kind) -> list[Attempt]:
        """Returns the attempts that were made for a slot, the oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT id, {', '.join(_COLUMNS)}, fields FROM attempts WHERE slot = ? AND kind = ? ORDER BY id",
                (_text(slot), kind),
            ).fetchall()
        return [_attempt(row) for row in rows]

    def newest_slot(self, until: datetime) -> datetime | None:
        """Returns the newest time up to `until` that was dealt with, settled or not; None before the first."""
        query = "SELECT max(slot) FROM attempts WHERE kind = ? AND slot <= ?"
        with self._open() as connection:
            (slot,) = connection.execute(query, (Kind.SCHEDULED, _text(until))).fetchone()
        return datetime.fromisoformat(slot) if slot else None

    def why_stopped(self, run: int) -> str:
        """Returns why a run of the schedule was stopped; "" if that is unknown."""
        ended = (AttemptVerdict.TIMED_OUT, AttemptVerdict.KILLED, AttemptVerdict.INTERRUPTED)
        found = [one for one in self.attempts() if one.run == run and one.verdict in ended]
        return f"{found[-1].verdict}: {found[-1].why}" if found else ""

    def note(self, attempt: Attempt) -> Attempt:
        """Adds the attempt, or replaces it if it has an id; returns it with one."""
        rest = {key: value for key, value in attempt.as_json().items() if key not in (*_COLUMNS, "id", "seconds")}
        values = [_text(getattr(attempt, name)) for name in _COLUMNS] + [json.dumps(rest, ensure_ascii=False)]
        columns = (*_COLUMNS, "fields")
        with self._open() as connection:
            cursor = connection.execute(
                f"INSERT OR REPLACE INTO attempts (id, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})",
                [attempt.id, *values],
            )
        return Attempt(**{**vars(attempt), "id": attempt.id or cursor.lastrowid})

    def unseen(self, listings: Iterable[int]) -> set[int]:
        """Returns those of the files that no judged run has read."""
        wanted = set(listings)
        return wanted - self._known("listing", wanted)

    def unseen_contents(self, contents: Iterable[int]) -> set[int]:
        """Returns those of the contents that no judged run has read under any name."""
        wanted = set(contents)
        return wanted - self._known("content", wanted)

    def add_seen(self, files: Iterable[tuple[int, int]]) -> None:
        """Notes (listing, content) of files that a judged run has read."""
        with self._open() as connection:
            connection.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", files)

    def get(self, name: str) -> str:
        """Returns a value that was set; "" if none was."""
        if not self.path.exists():
            return ""
        with self._open() as connection:
            row = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def keep(self, name: str, value: str) -> None:
        """Keeps a value."""
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def _known(self, column: str, values: set[int]) -> set[int]:
        ordered: list[int] = sorted(values)
        known: set[int] = set()
        with self._open() as connection:
            for start in range(0, len(ordered), BATCH):
                batch = ordered[start : start + BATCH]
                marks = ", ".join("?" * len(batch))
                rows = connection.execute(f"SELECT {column} FROM seen WHERE {column} IN ({marks})", batch)
                known.update(value for (value,) in rows)
        return known


def _text(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _attempt(row: tuple[Parsed, ...]) -> Attempt:
    identity, *columns, rest = row
    values = {**json.loads(rest), **dict(zip(_COLUMNS, columns, strict=True)), "id": identity}
    times = {name: datetime.fromisoformat(values[name]) for name in ("slot", "started", "ended") if values.get(name)}
    known = {spec.name for spec in fields(Attempt)}
    return Attempt(
        **{
            **{name: value for name, value in values.items() if name in known},
            **times,
            "kind": Kind(values["kind"]),
            "verdict": AttemptVerdict(values["verdict"]),
            "settled": bool(values["settled"]),
            "spans": tuple(values["spans"]),
            "told": tuple(values.get("told", ())),
        }
    )
