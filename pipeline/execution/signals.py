"""What SIGINT, SIGTERM and SIGHUP do to a command: they end what is under way, and nothing is lost."""

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
STOPPED = "the same command goes on from here"
# Ctrl-C reaches a process twice, from the terminal and from its parent: the second must not disturb the first's end.
ECHO = 1.0  # seconds
_stopped_at = -ECHO


class Stopped(BaseException):
    """A signal ended a command. No error of a step: nothing that catches those is to take it for one.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_status(self) -> int:
        """As shells have it: 130 after Ctrl-C, 143 after `kill`."""
        return 128 + self.number


def heeded(numbers: Sequence[signal.Signals] = STOPPING) -> list[signal.Signals]:
    """Those that nohup, or a shell with `&`, has not set to be ignored; what they have set stays so."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def handling(numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Has `handler` take these signals, and puts back what took them before."""
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def raise_stopped(number: int, frame: FrameType | None) -> None:
    """A handler that ends the main thread's work, and the trainings, which would be waited for."""
    global _stopped_at
    now = time.monotonic()
    if now < _stopped_at + ECHO:
        return
    _stopped_at = now
    for child in multiprocessing.active_children():
        child.terminate()
    raise Stopped(number)


def exit_when_signalled() -> None:
    """From now on a signal ends this process with its exit status; for commands that have nothing to put away."""
    for number in heeded():
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextlib.contextmanager
def stoppable(console: Console) -> Iterator[None]:
    """Ends with 128 + the signal's number, as shells tell it; trainings go on from their checkpoints next time."""
    try:
        with handling(heeded(), raise_stopped):
            yield
    except Stopped as stopped:
        global _stopped_at
        _stopped_at = -ECHO
        print_line(console, "stopped", STOPPED)
        raise typer.Exit(stopped.exit_status) from None
