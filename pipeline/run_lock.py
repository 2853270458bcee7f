"""One run at a time in one folder: two would train the same model twice and write into each other's metadata."""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from fasteners import InterProcessLock

# Two files, for to close the locked file a second time would end the lock (fcntl(2), advisory record locking).
LOCK_FILE, HOLDER_FILE = "run.lock", "run.holder"


class RunInProgress(RuntimeError):
    """Another process runs this pipeline."""


def is_running(run_root: Path) -> bool:
    """Whether a process holds the pipeline's folder."""
    if not (run_root / LOCK_FILE).exists():
        return False
    lock = InterProcessLock(run_root / LOCK_FILE)
    free = lock.acquire(blocking=False)
    if free:
        lock.release()
    return not free


@contextlib.contextmanager
def only_run(run_root: Path) -> Iterator[None]:
    """Holds the pipeline's folder for this process; the kernel lets go of it when the process ends, however it ends.

    Raises:
      RunInProgress: another process holds it; the message says which.
    """
    run_root.mkdir(parents=True, exist_ok=True)
    lock, holder_file = InterProcessLock(run_root / LOCK_FILE), run_root / HOLDER_FILE
    if not lock.acquire(blocking=False):
        holder = holder_file.read_text(encoding="utf-8") if holder_file.exists() else "that has just started"
        raise RunInProgress(
            f"another run of {run_root.name} is under way, {holder}; wait for its end, "
            "or give this one another `name` or `runners.local.root`"
        )
    try:
        holder_file.write_text(f"process {os.getpid()} since {datetime.now():%H:%M:%S}", encoding="utf-8")
        yield
    finally:
        lock.release()
