"""One run at a time in one folder: two would train the same model twice and write into each other's metadata.

The schedule's locks are of the same kind.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from fasteners import InterProcessLock

from components.common import files
from components.common.human_format import in_zone

RUN = "run"
HOST = socket.gethostname() or "?"


class RunInProgress(RuntimeError):
    """Another process runs this pipeline."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, or held it last.

    Attributes:
      process: its id.
      since: when it took the lock, with a zone.
      host: the machine's name.
    """

    process: int
    since: datetime
    host: str = HOST

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that its id means something."""
        return self.host == HOST


class Held(RuntimeError):
    """Another process holds a lock; the message says which, as "process 17 since 2024-05-31 12:00 CEST".

    Attributes:
      holder: that process; None if it has not said yet who it is.
    """

    def __init__(self, holder: Holder | None, zone: tzinfo | None) -> None:
        super().__init__(told(holder, zone))
        self.holder = holder


def is_held(folder: Path, name: str) -> bool:
    """Whether a process holds the lock of that name."""
    path = _lock_file(folder, name)
    if not path.exists():
        return False
    lock = InterProcessLock(path)
    free = lock.acquire(blocking=False)
    if free:
        lock.release()
    return not free


def holder_of(folder: Path, name: str) -> Holder | None:
    """Who holds the lock, or held it last; None if nobody did, or has not said yet who it is."""
    try:
        process, since, *host = (folder / f"{name}.holder").read_text(encoding="utf-8").split()
        moment = datetime.fromisoformat(since)
        # Of version 0.1.0, which knew no other machine, it is this one.
        return Holder(int(process), moment if moment.tzinfo else moment.replace(tzinfo=UTC), *host[:1])
    except (OSError, ValueError, OverflowError):  # cut short by a crash; the lock, and not this note, is what counts
        return None


def told(holder: Holder | None, zone: tzinfo | None = None) -> str:
    """Who that is and since when, for people; in that time zone, or else the machine's."""
    if holder is None:
        return "that has just started"
    where = "" if holder.is_here else f" on {holder.host}"
    return f"process {holder.process}{where} since {in_zone(holder.since, zone)}"


@contextlib.contextmanager
def hold(folder: Path, name: str, zone: tzinfo | None = None) -> Iterator[None]:
    """Holds a lock for this process; the kernel lets go of it when the process ends, however it ends.

    Raises:
      Held: another process holds it; the message has the time in `zone`, or else the machine's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = InterProcessLock(_lock_file(folder, name))
    if not lock.acquire(blocking=False):
        raise Held(holder_of(folder, name), zone)
    try:
        # Another file, for to close the locked one a second time would end the lock (fcntl(2), advisory locking).
        written = f"{os.getpid()} {datetime.now(UTC).isoformat()} {HOST}"
        files.write_text(str(folder / f"{name}.holder"), written)
        yield
    finally:
        lock.release()


def is_running(run_root: Path) -> bool:
    """Whether a process holds the pipeline's folder."""
    return is_held(run_root, RUN)


@contextlib.contextmanager
def only_run(run_root: Path) -> Iterator[None]:
    """Holds the pipeline's folder for this process.

    Raises:
      RunInProgress: another process holds it; the message says which.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(run_root, RUN))
        except Held as holder:
            raise RunInProgress(
                f"another run of {run_root.name} is under way, {holder}; wait for its end, "
                "or give this one another `name` or `runners.local.root`"
            ) from holder
        yield


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"
