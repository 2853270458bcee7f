"""Who attends to a schedule: one process at a time, and the others after it or not at all."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path
from threading import Event

from pipeline.run_lock import Held, hold

ATTEMPT, WAITING = "attempt", "waiting"  # the locks of who attends to the schedule, and of who is next
LOOK_SECONDS = 5.0  # between two looks whether the other has ended


class Busy(RuntimeError):
    """Another process attends to the schedule."""


class Stopped(RuntimeError):
    """This process was told to end before it began with what it was asked for."""


@contextlib.contextmanager
def alone(folder: Path, zone: tzinfo) -> Iterator[None]:
    """Keeps others from attending to the schedule; `zone` is that of the times in messages.

    Raises:
      Busy: another process does.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(folder, ATTEMPT, zone))
        except Held as holder:
            raise Busy(
                f"a scheduled run of {folder.parent.name} is under way, {holder}; wait for its end, "
                "`effnet schedule list` shows it"
            ) from holder
        yield


@contextlib.contextmanager
def in_turn(folder: Path, zone: tzinfo, stop: Event, say: Callable[[str], None]) -> Iterator[None]:
    """As `alone`, but waits until nobody else attends.

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
    """As `in_turn`, but of several who wait only the first one gets its turn; gives whether it is this process."""
    with contextlib.ExitStack() as turn:
        try:
            with hold(folder, WAITING):
                turn.enter_context(in_turn(folder, zone, stop, say))
        except (Held, Stopped):
            yield False
            return
        yield True
