"""The read-only commands of `effnet schedule`: `list` and `history`."""

from datetime import timedelta, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from components.common.human_format import in_zone
from pipeline.config.load import ConfigSource
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.schedule import kubeflow
from pipeline.shared_options import JsonOption, configured, print_json
from pipeline.terminal import make_console, print_table, say, styled

if TYPE_CHECKING:
    from pipeline.schedule.attempts import Attempt

app = typer.Typer()

SHOWN_TIMES = 5
WIDE = 120  # columns of a screen on which each row of the history is one line, but for its reasons
COLOURS = {
    "pushed": "green",
    "unchanged": "green",
    "nothing new": "green",
    "running": "yellow",
    "interrupted": "yellow",
    "missed": "yellow",
}


class Engine(StrEnum):
    """Who starts the runs."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


def scheduled_config(source: ConfigSource) -> Path:
    """The pipeline.yaml of a schedule, which is read again for each run.

    Raises:
      ConfigError: there is none, or it is the quick start's.
    """
    if source.quick_start:
        raise ConfigError("--quick-start: a schedule needs a pipeline.yaml of its own; `effnet init FOLDER` writes one")
    return source.path


EngineOption = Annotated[Engine, typer.Option("--engine", help="Who starts the runs.")]


@app.command(name="list")
@configured
def show(
    source: ConfigSource,
    engine: EngineOption = Engine.LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Show the schedule, its next times, and its last result."""
    if engine is Engine.KUBEFLOW:
        kubeflow.show(source.load())
        return
    from pipeline.schedule.alerts import unset_problem
    from pipeline.schedule.coordinator import Coordinator
    from pipeline.schedule.daemon import is_scheduled
    from pipeline.schedule.due_times import next_times
    from pipeline.schedule.notes import local

    coordinator = Coordinator(scheduled_config(source), source.overrides)
    settings, store = coordinator.config, coordinator.store
    paused = coordinator.paused_since
    times = [] if paused else next_times(settings.schedule, coordinator.clock(), SHOWN_TIMES)
    attempts, unset = store.attempts(1), unset_problem(settings.schedule.alerts)
    state = {
        "name": settings.name,
        "cron": settings.schedule.cron,
        "timezone": settings.schedule.timezone,
        "scheduler": is_scheduled(settings.run_root),
        "paused": paused.isoformat() if paused else None,
        "next": [time.isoformat() for time in times],
        "last": attempts[-1].as_json() if attempts else None,
        "alerts_not_sent": len(coordinator.recorder.pending()),
        "alerts_problem": unset or None,
    }
    if as_json:
        print_json(state)
        return
    table = Table(show_header=False, box=None)
    table.add_row(
        "schedule", f"'{settings.schedule.cron}' {settings.schedule.timezone}" if settings.schedule.cron else "none"
    )
    absent = "not running, see `effnet schedule start`; systemd, cron and Airflow need none"
    if settings.schedule.cron is None:
        absent = "none: schedule.cron is null; `effnet schedule trigger` runs now"
    table.add_row("scheduler", "running" if state["scheduler"] else absent)
    if paused:
        table.add_row("paused", f"since {local(settings, paused)}; `effnet schedule resume` resumes it")
    table.add_row("next", ", ".join(local(settings, time) for time in times) or "-")
    if attempts:
        last = attempts[-1]
        table.add_row("last", f"{local(settings, last.slot)} {last.verdict}: {last.why}")
    if state["alerts_not_sent"]:
        table.add_row(
            "alerts", styled((f"{state['alerts_not_sent']} not sent", "red"), "; `effnet schedule history` says why")
        )
    if unset:
        table.add_row("alerts", styled(("cannot be sent from here", "red"), f": {unset}"))
    print_table(table)


@app.command()
@configured
def history(
    settings: PipelineConfig,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="Show only the newest N.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the result of each attempt, and why."""
    from pipeline.schedule.database import AttemptDatabase

    attempts = AttemptDatabase(settings.run_root).attempts(last)
    if as_json:
        print_json([attempt.as_json() for attempt in attempts])
        return
    if not attempts:
        say(f"no scheduled runs yet in {settings.run_root}; start the schedule with `effnet schedule start`")
        return
    console = make_console()
    console.print(_table(attempts, settings.schedule.zone, "\n" if console.width < WIDE else " "))


def _table(attempts: "list[Attempt]", zone: tzinfo, gap: str) -> Table:
    """The newest first, without empty columns.

    Args:
      attempts: the oldest first.
      zone: that times are shown in.
      gap: between the parts of a cell: a line break on a narrow screen.
    """
    columns = {
        "due": [_due(attempt, zone, gap) for attempt in attempts],
        "spans": [_spans(attempt, zone, gap) for attempt in attempts],
        "images": [_images(attempt, gap) for attempt in attempts],
        "took": [str(timedelta(seconds=round(attempt.seconds))) if attempt.seconds else "" for attempt in attempts],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    result = Column("result", overflow="fold", ratio=1)
    table = Table("", *(Column(name, no_wrap=True) for name in shown), result, box=SIMPLE_HEAD, pad_edge=False)
    for number in reversed(range(len(attempts))):
        cells = [column[number] or "-" for column in shown.values()]
        table.add_row(str(attempts[number].id), *cells, _result(attempts[number]))
    return table


def _due(attempt: "Attempt", zone: tzinfo, gap: str) -> str:
    if attempt.kind == "backfill" and attempt.span:
        return f"backfill{gap}{attempt.span}"  # a day, or a number; the time at which a day begins is no news
    return in_zone(attempt.slot, zone).replace(" ", gap, 1)


def _spans(attempt: "Attempt", zone: tzinfo, gap: str) -> str:
    """The spans, unless `_due` shows it already: the span of that day, or of a backfill."""
    if len(attempt.spans) > 1:
        return f"{attempt.spans[0]} to{gap}{attempt.spans[-1]}"
    own = attempt.kind == "backfill" or attempt.span == f"{attempt.slot.astimezone(zone):%Y-%m-%d}"
    return "" if own else attempt.span


def _images(attempt: "Attempt", gap: str) -> str:
    if attempt.images is None:
        return ""
    between = ", " if gap == " " else gap
    return f"{attempt.images:,}" + (f"{between}{attempt.new_images:,} new" if attempt.new_images else "")


def _result(attempt: "Attempt") -> Text:
    asked = " (triggered)" if attempt.kind == "triggered" else ""
    colour = COLOURS.get(attempt.verdict, "red")
    result = styled((attempt.verdict, colour), f"{asked}: {attempt.why}")
    if attempt.alert_is_due:
        result += styled("\n", ("alert", "red"), f" {attempt.alert or 'not sent yet'}")
    return result
