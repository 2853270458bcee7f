"""The screen while the pipeline runs: a line for each step, and the progress of long ones.

TFX prints thousands of lines. They go to a log file; the screen shows events that steps, components and trainer report
(see components/common/events.py).
"""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from components.common.events import Done, Listener, RunEvent, StepEnded, StepStarted, Warned, are_shown_elsewhere
from components.common.events import Progress as Reported
from pipeline.config.secrets import SafeFormatter
from pipeline.terminal import make_console

SECONDS_BETWEEN_PLAIN_LINES = 10.0
SHARE_BETWEEN_PLAIN_LINES = 0.1  # of the time that a step has taken, so that a long one prints some dozens of lines


@contextlib.contextmanager
def quiet_output(log_path: Path, verbose: bool = False) -> Iterator[Console]:
    """Redirects everything that this process prints, C++ libraries included, to `log_path`; yields a visible console.

    Lines are appended, so the log keeps earlier runs. With `verbose` they are also shown as they are logged.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    shown, errors = os.dup(1), os.dup(2)
    with log_path.open("ab") as log, os.fdopen(shown, "w", encoding="utf-8", closefd=False) as screen:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        handler = logging.StreamHandler()  # to stderr, which is the log now
        handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        previous_level, previous_handlers = root.level, root.handlers[:]
        root.handlers[:] = [handler]
        if verbose:
            shown_too = logging.StreamHandler(screen)
            shown_too.setFormatter(SafeFormatter("%(message)s"))
            root.addHandler(shown_too)
        root.setLevel(logging.INFO)
        try:
            yield make_console(file=screen)
        finally:
            root.handlers[:] = previous_handlers
            root.setLevel(previous_level)
            sys.stdout.flush()
            sys.stderr.flush()
            screen.flush()
            os.dup2(shown, 1)
            os.dup2(errors, 2)
            os.close(shown)
            os.close(errors)


class StepDisplay(Listener):
    """Shows steps as they start and end, and the progress of the current one.

    Args:
      console: where to show; a bar on a terminal, plain lines elsewhere.
      steps: component ids in the order of the run.
    """

    def __init__(self, console: Console, steps: Sequence[str]):
        super().__init__(logging.INFO)
        self.console = console
        self.steps = list(steps)
        self.live: Live | None = None
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.current = ""
        self.started = time.monotonic()
        self.last_plain_line = 0.0
        self._prints_progress = not console.is_terminal and not are_shown_elsewhere()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._end_bar()

    def take(self, event: RunEvent) -> None:
        """Shows one event."""
        match event:
            case StepStarted(step):
                self.current, self.started = step, time.monotonic()
                self._begin_bar()
            case StepEnded(_, cached):
                self._end_bar()
                took = "from cache" if cached else f"{time.monotonic() - self.started:.0f} s"
                self.console.print(f"{self._title():<34} {took:>10}")
            case Reported():
                self._detail(event)
            case Warned(message):
                self.console.print(f"        warning: {message}", soft_wrap=True)

    def _title(self) -> str:
        number = self.steps.index(self.current) + 1 if self.current in self.steps else 0
        return f"[{number:>2}/{len(self.steps)}] {self.current}"

    def _begin_bar(self) -> None:
        self._end_bar()
        if not self.console.is_terminal:
            return
        # Brackets in the title and the detail are not markup.
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
        )
        self.bar = Progress(SpinnerColumn(), *columns, console=self.console)
        self.task = self.bar.add_task(self._title(), total=None, detail="")
        # Not redirected: printed output belongs in the log.
        self.live = Live(self.bar, console=self.console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self.live.start()

    def _end_bar(self) -> None:
        if self.live:
            self.live.stop()
            self.live = self.bar = None

    def _detail(self, reported: Reported) -> None:
        if self.live and self.bar:
            if reported.table:
                self.live.update(Group(_as_table(reported.table), self.bar))
            self.bar.update(self.task, completed=reported.done or 0, total=reported.total, detail=reported.message)
        elif self._prints_progress and (reported.table or self._plain_line_is_due()):
            self.last_plain_line = time.monotonic()
            self.console.print(f"        {reported.message}", soft_wrap=True)

    def _plain_line_is_due(self) -> bool:
        now = time.monotonic()
        pause = max(SECONDS_BETWEEN_PLAIN_LINES, SHARE_BETWEEN_PLAIN_LINES * (now - self.started))
        return now - self.last_plain_line >= pause


class TrainingDisplay(StepDisplay):
    """Shows trainings in sequence: a line for each finished one, and the progress of the current one."""

    def __init__(self, console: Console, title: str):
        super().__init__(console, [])
        self.current = title

    def __enter__(self) -> "TrainingDisplay":
        super().__enter__()
        self._begin_bar()
        return self

    def take(self, event: RunEvent) -> None:
        """Shows one event."""
        match event:
            case Done(message):
                self.console.print(message, soft_wrap=True)
            case Reported():
                self._detail(event)

    def _title(self) -> str:
        return self.current


def _as_table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    return table
