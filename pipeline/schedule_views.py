"""The commands of `effnet schedule` that only look: `list` and `history`."""

from datetime import timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import schedule_kubeflow
from pipeline.cli_options import ConfigOption, DebugOption, JsonOption, SetOption, print_json
from pipeline.config import find_config, load_config

if TYPE_CHECKING:
    from pipeline.scheduling.attempts import Attempt

app = typer.Typer()

SHOWN_TIMES = 5
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


EngineOption = Annotated[Engine, typer.Option("--engine", help="Who starts the runs.")]


@app.command(name="list")
def show(
    engine: EngineOption = Engine.LOCAL,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the schedule, its next times, and what it last came to."""
    if engine is Engine.KUBEFLOW:
        schedule_kubeflow.show(load_config(config, overrides or ()))
        return
    from pipeline.scheduling.alerts import unset_problem
    from pipeline.scheduling.attendant import Attendant
    from pipeline.scheduling.decision import next_times
    from pipeline.scheduling.notes import local
    from pipeline.scheduling.scheduler import is_scheduled

    attendant = Attendant(find_config(config), tuple(overrides or ()))
    settings, store = attendant.config, attendant.store
    paused = attendant.paused_since
    times = [] if paused else next_times(settings.schedule, attendant.clock(), SHOWN_TIMES)
    attempts, unset = store.attempts(1), unset_problem(settings.schedule.alerts)
    state = {
        "name": settings.name,
        "cron": settings.schedule.cron,
        "timezone": settings.schedule.timezone,
        "scheduler": is_scheduled(settings.run_root),
        "paused": paused.isoformat() if paused else None,
        "next": [time.isoformat() for time in times],
        "last": attempts[-1].as_json() if attempts else None,
        "alerts_not_sent": len(attendant.ledger.pending()),
        "alerts_problem": unset or None,
    }
    if as_json:
        print_json(state)
        return
    table = Table(show_header=False, box=None)
    table.add_row(
        "schedule", f"'{settings.schedule.cron}' {settings.schedule.timezone}" if settings.schedule.cron else "none"
    )
    absent = "none waits, see `effnet schedule start`; systemd, cron and Airflow need none"
    table.add_row("scheduler", "runs" if state["scheduler"] else absent)
    if paused:
        table.add_row("paused", f"since {local(settings, paused)}; `effnet schedule resume` ends it")
    table.add_row("next", ", ".join(local(settings, time) for time in times) or "-")
    if attempts:
        last = attempts[-1]
        table.add_row("last", f"{local(settings, last.slot)} {last.verdict}: {escape(last.why)}")
    if state["alerts_not_sent"]:
        table.add_row("alerts", f"[red]{state['alerts_not_sent']} not sent[/]; `effnet schedule history` says why")
    if unset:
        table.add_row("alerts", f"[red]cannot be sent from here[/]: {escape(unset)}")
    Console().print(table)


@app.command()
def history(
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many, the newest ones.")] = 20,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what each attempt came to, and why."""
    from pipeline.scheduling.store import Store

    settings = load_config(config, overrides or ())
    attempts = Store(settings.run_root).attempts(last)
    if as_json:
        print_json([attempt.as_json() for attempt in attempts])
        return
    if not attempts:
        print(f"nothing was scheduled yet in {settings.run_root}; `effnet schedule start` starts the schedule")
        return
    Console().print(_table(attempts, settings.schedule.zone))


def _table(attempts: "list[Attempt]", zone: tzinfo) -> Table:
    table = Table("", "due", "spans", "images", "took", "result", "served")
    for attempt in reversed(attempts):
        result = f"[{COLOURS.get(attempt.verdict, 'red')}]{attempt.verdict}[/]: {escape(attempt.why)}"
        if attempt.alert_is_due:
            result += f"\n[red]alert[/] {escape(attempt.alert or 'not sent yet')}"
        seconds = attempt.seconds
        new = f", {attempt.new_images:,} new" if attempt.new_images else ""
        served = attempt.served_after or "-"
        table.add_row(
            str(attempt.id),
            f"{attempt.slot.astimezone(zone):%Y-%m-%d %H:%M}\n{attempt.kind}",
            f"{attempt.spans[0]} to {attempt.spans[-1]}" if len(attempt.spans) > 1 else attempt.span or "-",
            "-" if attempt.images is None else f"{attempt.images:,}{new}",
            "-" if seconds is None else str(timedelta(seconds=round(seconds))),
            result,
            served if attempt.served_after == attempt.served_before else f"{attempt.served_before or '-'} -> {served}",
        )
    return table
