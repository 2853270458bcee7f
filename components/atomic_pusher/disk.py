"""Versions in a local folder: one push at a time, and a version appears by renaming its folder."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from fasteners import InterProcessLock

from components.common import durable, files
from components.common.errors import PushError
from components.served_model.record import PushRecord

LOCK_FILE = ".lock"
INCOMING, OUTGOING = ".incoming-", ".outgoing-"  # names that TensorFlow Serving ignores
LOCK_SECONDS = 300.0  # what writing a large model to a slow disk may take


class Disk:
    """A folder of versions.

    Args:
        push_path: the folder; it need not exist.
    """

    def __init__(self, push_path: str):
        self._path = Path(push_path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other pushes out, and clears away what a killed one left."""
        self._path.mkdir(parents=True, exist_ok=True)
        lock = InterProcessLock(self._path / LOCK_FILE)  # the kernel lets go of it when the process is killed
        if not lock.acquire(timeout=LOCK_SECONDS):
            raise PushError(f"another push to {self._path} did not end within {LOCK_SECONDS:.0f} s; wait for it")
        try:
            self._clear_leftovers()
            yield
        except OSError:
            self._clear_leftovers()  # a full disk gets its space back at once
            raise
        finally:
            lock.release()

    def add(self, version: str, fill: Callable[[str], PushRecord]) -> tuple[str, PushRecord]:
        """Lets `fill` write a model to a folder that then becomes `version`; returns that, and what `fill` returned."""
        staged = self._path / f"{INCOMING}{secrets.token_hex(8)}"
        record = fill(str(staged))
        durable.rename_folder(staged, self._path / version)
        return version, record

    def remove(self, version: str) -> None:
        """Deletes a version, whole for whoever looks."""
        gone = self._path / f"{OUTGOING}{version}"
        (self._path / version).rename(gone)
        files.delete(str(gone))

    def _clear_leftovers(self) -> None:
        for leftover in (*self._path.glob(f"{INCOMING}*"), *self._path.glob(f"{OUTGOING}*")):
            files.delete(str(leftover))
