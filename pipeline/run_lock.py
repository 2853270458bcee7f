"""One run at a time in one folder: two would train the same model twice and write into each other's metadata.

The schedule's locks are of the same kind.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from fasteners import InterProcessLock

from components.common import files
from components.common.human_format import in_zone

RUN = "run"
SECONDS_OF_A_LOOK = 0.5
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
      holder: that process; None if it has not noted its id yet.
    """

    def __init__(self, holder: Holder | None, zone: tzinfo | None) -> None:
        super().__init__(described(holder, zone))
        self.holder = holder


class NotWritable(RuntimeError):
    """Another user's folder."""


def is_held(folder: Path, name: str) -> bool:
    """Whether a process holds the lock of that name."""
    # A shared lock: it needs no right to write, and several processes can check at once.
    try:
        with _lock_file(folder, name).open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):  # fcntl(2): EAGAIN or EACCES
        return True
    return False


def holder_of(folder: Path, name: str) -> Holder | None:
    """Who holds the lock, or held it last; None if nobody did, or it has not noted its id yet."""
    try:
        process, since, *host = (folder / f"{name}.holder").read_text(encoding="utf-8").split()
        moment = datetime.fromisoformat(since)
        # Of version 0.1.0, which knew no other machine, it is this one.
        return Holder(int(process), moment if moment.tzinfo else moment.replace(tzinfo=UTC), *host[:1])
    except (OSError, ValueError, OverflowError):  # cut short by a crash; the lock, and not this note, is what counts
        return None


def described(holder: Holder | None, zone: tzinfo | None = None) -> str:
    """The process and since when it holds the lock, in that time zone or else the machine's."""
    if holder is None:
        return "which has just started"
    where = "" if holder.is_here else f" on {holder.host}"
    return f"process {holder.process}{where} since {in_zone(holder.since, zone)}"


@contextlib.contextmanager
def hold(
    folder: Path, name: str, zone: tzinfo | None = None, refusal: Callable[[Held], Exception] | None = None
) -> Iterator[None]:
    """Holds a lock for this process; the kernel releases it when the process ends, however it ends.

    Args:
      folder: of the lock's files; made if it is not there.
      name: of the lock.
      zone: of the time in `Held`'s message; None: the machine's.
      refusal: makes the error to raise instead of `Held`.

    Raises:
      Held: another process holds it, unless `refusal` makes another error of that.
      NotWritable: this user may not write into the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = InterProcessLock(_lock_file(folder, name))
        # With a timeout, because `is_held` of another process has it for a moment.
        taken = lock.acquire(timeout=SECONDS_OF_A_LOOK)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise NotWritable(_why_not_writable(folder, error)) from error
    if not taken:
        held = Held(holder_of(folder, name), zone)
        raise refusal(held) if refusal else held
    try:
        # A file of its own: closing any descriptor of the locked one releases an fcntl lock (fcntl(2)).
        written = f"{os.getpid()} {datetime.now(UTC).isoformat()} {HOST}"
        files.write_text(str(folder / f"{name}.holder"), written)
        yield
    finally:
        lock.release()


def is_running(run_root: Path) -> bool:
    """Whether a process holds the pipeline's folder."""
    return is_held(run_root, RUN)


def only_run(run_root: Path) -> AbstractContextManager[None]:
    """Holds the pipeline's folder for this process.

    Raises:
      RunInProgress: another process holds it; the message says which.
    """

    def refusal(held: Held) -> RunInProgress:
        return RunInProgress(
            f"another run of {run_root.name} is under way, {held}; wait for its end, "
            "or give this one another `name` or `runners.local.root`"
        )

    return hold(run_root, RUN, refusal=refusal)


def _why_not_writable(folder: Path, error: OSError) -> str:
    there = files.nearest_folder(folder)
    if error.errno == errno.EROFS:
        return f"{there} is on a read-only file system; set runners.local.root to a folder elsewhere"
    try:
        owner = there.owner()
    except (KeyError, OSError):  # a user of another machine
        owner = f"user {there.stat().st_uid}"
    return (
        f"{there} belongs to {owner}, and you may not write there; set runners.local.root to a folder of your own, "
        "or share this one as docs/operations.md shows"
    )


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"
