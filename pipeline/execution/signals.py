"""Ctrl-C and SIGTERM: what is under way ends at once, and the user is told that nothing is lost."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
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
def stoppable(console: Console) -> Iterator[None]:
    """Ends with 128 + the signal's number, as shells tell it; trainings go on from their checkpoints next time."""

    def stop(number: int, frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            child.terminate()  # or the training would be waited for
        raise _Stopped(number)

    previous = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except _Stopped as stopped:
        print_line(console, "stopped", "the same command goes on from here")
        raise typer.Exit(128 + stopped.number) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
