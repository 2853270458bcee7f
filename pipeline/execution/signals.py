"""What SIGINT, SIGTERM and SIGHUP do to a command: they stop its work, and nothing is lost."""

import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import typer
from rich.console import Console

from pipeline.terminal import print_line

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = "run the same command again to continue"
# Ctrl-C reaches a process twice, from the terminal and from its parent: the second must not disturb the first's end.
ECHO = 1.0  # seconds
_stopped_at = -ECHO


class Stopped(BaseException):
    """A signal stopped a command. Not an `Exception`, so that nothing that catches a step's errors catches it.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_status(self) -> int:
        """As in shells: 130 after Ctrl-C, 143 after `kill`."""
        return 128 + self.number


def heeded() -> list[signal.Signals]:
    """The stopping signals, except those that nohup, or a shell's `&`, has set to be ignored; these stay ignored."""
    return [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def handling(numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Makes `handler` handle these signals, and restores the handlers before it."""
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def raise_stopped(number: int, frame: FrameType | None) -> None:
    """A handler that ends the main thread's work, and the trainings, which Python would wait for at its exit."""
    global _stopped_at
    now = time.monotonic()
    if now < _stopped_at + ECHO:
        return
    _stopped_at = now
    for child in multiprocessing.active_children():
        child.terminate()
    raise Stopped(number)


def exit_when_signalled() -> None:
    """From now on a signal ends this process with its exit status; for commands with nothing to clean up."""
    for number in heeded():
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextlib.contextmanager
def stoppable(console: Console) -> Iterator[None]:
    """Ends with 128 + the signal's number, as in shells; trainings resume from their checkpoints next time."""
    try:
        with handling(heeded(), raise_stopped):
            yield
    except Stopped as stopped:
        global _stopped_at
        _stopped_at = -ECHO
        print_line(console, "stopped", STOPPED)
        raise typer.Exit(stopped.exit_status) from None
