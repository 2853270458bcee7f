"""What SIGINT, SIGTERM and SIGHUP do to a command: it ends what is under way, and says that nothing is lost."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import typer
from rich.console import Console

from pipeline.terminal import print_line

STOPPING = (signal.SIGINT, signal.SIGTERM)


class _Stopped(BaseException):
    """No error of a step: nothing that catches those is to take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def handling(numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Has `handler` take these signals, and puts back what took them before."""
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def stoppable(console: Console) -> Iterator[None]:
    """Ends with 128 + the signal's number, as shells tell it; trainings go on from their checkpoints next time."""

    def stop(number: int, frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            child.terminate()  # or the training would be waited for
        raise _Stopped(number)

    try:
        with handling(STOPPING, stop):
            yield
    except _Stopped as stopped:
        print_line(console, "stopped", "the same command goes on from here")
        raise typer.Exit(128 + stopped.number) from None
