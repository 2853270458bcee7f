"""The screen while `effnet schedule trigger` or `backfill` runs the pipeline."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from components.common.events import Progress as Reported
from components.common.events import RunEvent
from pipeline.terminal import make_console
from pipeline.terminal import say as print_lines


@dataclass(frozen=True)
class Display:
    """Where lines go.

    Attributes:
      say: shows lines of the schedule itself.
      show: shows lines that the run prints.
      follow: shows events that the run reports; None: the run prints them itself.
    """

    say: Callable[[str], None]
    show: Callable[[str], None]
    follow: Callable[[RunEvent], None] | None


@contextlib.contextmanager
def display() -> Iterator[Display]:
    """Plain lines; on a terminal with a live line below them for the time and the current step's progress."""
    console = make_console()
    if not console.is_terminal:
        yield Display(print_lines, print_lines, None)
        return
    detail = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Progress(SpinnerColumn(), TimeElapsedColumn(), detail, console=console, transient=True) as progress:
        task = progress.add_task("")
        say = functools.partial(console.print, soft_wrap=True)

        def follow(event: RunEvent) -> None:
            progress.update(task, description=event.message if isinstance(event, Reported) else "")

        yield Display(say, say, follow)
