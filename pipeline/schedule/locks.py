"""Locks of a schedule: one process at a time works on it; others wait for their turn, or are refused."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import tzinfo
from pathlib import Path
from threading import Event

from pipeline.run_lock import Held, hold

ATTEMPT, WAITING = "attempt", "waiting"  # the locks of the process that works on the schedule, and of the next one
LOOK_SECONDS = 5.0  # between two checks whether the other process has ended


class Busy(RuntimeError):
    """Another process works on the schedule."""


class Stopped(RuntimeError):
    """A signal stopped this process before it began an attempt."""


def alone(folder: Path, zone: tzinfo) -> AbstractContextManager[None]:
    """Keeps other processes from working on the schedule; messages have their times in `zone`.

    Raises:
      Busy: another process does.
    """

    def refusal(held: Held) -> Busy:
        return Busy(
            f"a scheduled run of {folder.parent.name} is under way, {held}; wait for its end, "
            "`effnet schedule list` shows it"
        )

    return hold(folder, ATTEMPT, zone, refusal)


@contextlib.contextmanager
def in_turn(folder: Path, zone: tzinfo, stop: Event, say: Callable[[str], None]) -> Iterator[None]:
    """As `alone`, but waits for its turn.

    Raises:
      Stopped: `stop` was set before that.
    """
    with contextlib.ExitStack() as stack:
        said = False
        while True:
            if stop.is_set():
                raise Stopped("stopped before anything was started")
            try:
                stack.enter_context(alone(folder, zone))
                break
            except Busy as busy:
                if not said:
                    say(f"{busy}; waiting")
                said = True
                stop.wait(LOOK_SECONDS)
        yield


@contextlib.contextmanager
def next_in_turn(folder: Path, zone: tzinfo, stop: Event, say: Callable[[str], None]) -> Iterator[bool]:
    """As `in_turn`, but of several that wait only the first gets its turn; yields whether that is this process."""
    with contextlib.ExitStack() as turn:
        try:
            with hold(folder, WAITING):
                turn.enter_context(in_turn(folder, zone, stop, say))
        except (Held, Stopped):
            yield False
            return
        yield True
