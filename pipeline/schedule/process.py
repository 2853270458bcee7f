"""Runs a command in a process group of its own, with a time limit; all its children end with it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

from pipeline.execution.supervisor import TO_STOP

TO_CLEAN_UP = TO_STOP + 2  # seconds between the request to end and the kill, of which `effnet run` takes TO_STOP
POLL = 0.2  # seconds


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
      code: its exit status; None if it was killed.
      by: "itself", "time limit", "stop" (by the caller) or "signal N".
    """

    code: int | None
    by: str


def run_child(
    command: Sequence[str],
    log: Path,
    limit: timedelta,
    stop: Event,
    started: Callable[[int], None],
    watch: Callable[[], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Runs a command to its end, its output in a file.

    Args:
      command: with arguments.
      log: file for everything that it prints; its folder exists.
      limit: after which it is ended.
      stop: when this is set, it is ended.
      started: called with the process id, which is also its group's.
      watch: called while it runs, and once it has ended; None: nothing is.
      variables: of its environment, in addition to this process's.
    """
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(variables or {})},
        )
    try:
        started(child.pid)
        until = time.monotonic() + limit.total_seconds()
        while child.poll() is None:
            if stop.is_set() or time.monotonic() >= until:
                by = "stop" if stop.is_set() else "time limit"
                end_group(child.pid, child)
                return Ended(None, by)
            if watch:
                watch()
            stop.wait(POLL)
        code = child.returncode
        return Ended(code, "itself") if code >= 0 else Ended(None, f"signal {signal.Signals(-code).name}")
    finally:
        end_group(child.pid, child)  # what it may have left behind, and itself if `started` failed
        if watch:
            watch()


def end_group(group: int, child: subprocess.Popen[bytes] | None = None) -> None:
    """Ends all processes of a group: by a request, and by force if they ignore it."""
    if not _signal(group, signal.SIGTERM):
        return
    until = time.monotonic() + TO_CLEAN_UP
    while time.monotonic() < until:
        if child is not None:
            child.poll()  # else it stays in the group as a zombie
        if not _signal(group, 0):
            return
        time.sleep(POLL / 4)
    _signal(group, signal.SIGKILL)
    if child is not None:
        child.wait()


def _signal(group: int, number: int) -> bool:
    """Sends a signal to a group; returns whether there is such a group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
