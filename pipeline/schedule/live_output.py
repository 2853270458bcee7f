"""What a person sees while `effnet schedule trigger` or `backfill` runs the pipeline."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipeline.terminal import SafeConsole
from pipeline.terminal import say as print_lines

DETAIL = "        "  # how `progress.StepDisplay` begins a line on how far a step is


@dataclass(frozen=True)
class Display:
    """Where lines go.

    Attributes:
      say: for what the schedule itself says.
      show: for what the run prints.
    """

    say: Callable[[str], None]
    show: Callable[[str], None]


@contextlib.contextmanager
def display() -> Iterator[Display]:
    """Plain lines; on a terminal with a moving one below that has the time and how far the present step is."""
    console = SafeConsole(highlight=False)
    if not console.is_terminal:
        yield Display(print_lines, print_lines)
        return
    detail = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Progress(SpinnerColumn(), TimeElapsedColumn(), detail, console=console, transient=True) as progress:
        task = progress.add_task("")
        say = functools.partial(console.print, markup=False, soft_wrap=True)

        def show(line: str) -> None:
            if not line.startswith(DETAIL):
                say(line)
            progress.update(task, description=line.strip() if line.startswith(DETAIL) else "")

        yield Display(say, show)
