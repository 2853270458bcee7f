"""`effnet schedule`: automatic runs. Each command imports what it needs when it runs."""

import sys
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.config.load import ConfigSource
from pipeline.config.model import ConfigError
from pipeline.exit_codes import ExitCode
from pipeline.schedule import kubeflow, tables
from pipeline.schedule.live_output import Display, display
from pipeline.schedule.tables import scheduled_config
from pipeline.shared_options import configured
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.schedule.coordinator import Coordinator

app = typer.Typer(no_args_is_help=True, help="Automatic runs by a schedule.")
app.add_typer(tables.app)
app.add_typer(kubeflow.app)

CODES = {
    "pushed": ExitCode.PUSHED,
    "unchanged": ExitCode.PUSHED,
    "nothing new": ExitCode.PUSHED,
    "missed": ExitCode.PUSHED,  # while the schedule is paused
    "refused": ExitCode.GATE_REFUSED,
    "missing data": ExitCode.DATA_REFUSED,
}


class Entry(StrEnum):
    """What calls `effnet schedule tick`."""

    SYSTEMD = "systemd"
    CRON = "cron"


def _coordinator(source: ConfigSource, debug: bool, shown: Display | None = None) -> "Coordinator":
    from pipeline.schedule.coordinator import Coordinator

    config = scheduled_config(source)
    if shown is None:
        return Coordinator(config, source.overrides, debug=debug)
    return Coordinator(config, source.overrides, say=shown.say, show=shown.show, follow=shown.follow, debug=debug)


@app.command()
@configured
def start(source: ConfigSource, debug: bool) -> None:
    """Run the pipeline whenever its schedule says so, until Ctrl-C or SIGTERM; one scheduler for each pipeline."""
    from pipeline.schedule.daemon import start as run_scheduler

    run_scheduler(_coordinator(source, debug))


@app.command()
@configured
def tick(
    source: ConfigSource,
    debug: bool,
    at: Annotated[
        datetime | None,
        typer.Option(
            help="Deal only with this time of the schedule (UTC): for callers that know it is due, such as Airflow.",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"],
        ),
    ] = None,
) -> None:
    """Deal with what is due now, then exit: for a systemd timer or cron, see `install`."""
    from pipeline.schedule.attempts import Kind
    from pipeline.schedule.daemon import need_cron, stop_when_signalled

    coordinator = _coordinator(source, debug)
    need_cron(coordinator.config.schedule)
    with stop_when_signalled(coordinator):
        if at is None:
            before = coordinator.store.attempts(1)
            coordinator.attend()
            if sys.stdout.isatty() and coordinator.store.attempts(1) == before:  # cron would mail this every time
                say(f"nothing is due now; {_outlook(coordinator)}")
            return
        done = coordinator.deal_with(Kind.SCHEDULED, at)
    raise typer.Exit(CODES.get(done.verdict, ExitCode.FAILED))


def _outlook(coordinator: "Coordinator") -> str:
    from pipeline.schedule.due_times import next_times
    from pipeline.schedule.notes import local

    if since := coordinator.paused_since:
        return f"paused since {local(coordinator.config, since)}; `effnet schedule resume` resumes it"
    times = next_times(coordinator.config.schedule, coordinator.clock(), 1)
    return f"next at {local(coordinator.config, next(iter(times), None))}"


@app.command()
@configured
def install(
    source: ConfigSource,
    debug: bool,
    entry: Annotated[Entry, typer.Option("--as", help="What starts the runs.")] = Entry.SYSTEMD,
    only_print: Annotated[bool, typer.Option("--print", help="Print the entry and write nothing.")] = False,
) -> None:
    """Let systemd or cron start the runs, instead of a scheduler that waits."""
    from pipeline.schedule import systemd_cron
    from pipeline.schedule.daemon import need_cron
    from pipeline.systemd import write_units

    coordinator, path, folder = _coordinator(source, debug), source.path, Path.cwd()
    settings, own = coordinator.config, coordinator.overrides
    need_cron(settings.schedule)
    if entry is Entry.CRON:
        lines = systemd_cron.cron_entry(settings, path, own, folder)
        if not only_print:
            systemd_cron.write_crontab(settings.name, lines, path)
        say(lines, end="")
        variables_in = "the crontab"
    else:
        units = systemd_cron.systemd_units(settings, path, own, folder)
        if only_print:
            say("\n".join(f"# {name}\n{text}" for name, text in units.items()), end="")
        else:
            for written in write_units(units, settings.name, path):
                say(f"wrote {written}")
            timer = f"effnet-{settings.name}.timer"
            print(f"next: systemctl --user daemon-reload && systemctl --user enable --now {timer}")
            print("for runs while you are logged out, also: loginctl enable-linger")
        variables_in = f"~/.config/effnet/{settings.name}.env, readable only by you"
    if only_print:
        return
    if variables := settings.schedule.alerts.variables:
        say(f"for alerts, set {', '.join(variables)} in {variables_in}")
    coordinator.begin(coordinator.clock())


@app.command()
@configured
def pause(source: ConfigSource, debug: bool) -> None:
    """Start no runs until `resume`; one under way continues."""
    from pipeline.schedule.coordinator import PAUSED

    coordinator = _coordinator(source, debug)
    coordinator.store.keep(PAUSED, coordinator.clock().isoformat())
    print(f"{coordinator.config.name} is paused; `effnet schedule resume` resumes it, `trigger` still runs it")


@app.command()
@configured
def resume(source: ConfigSource, debug: bool) -> None:
    """Start runs again; times that passed meanwhile are not made up."""
    from pipeline.schedule.coordinator import PAUSED, SINCE

    coordinator = _coordinator(source, debug)
    if not coordinator.store.get(PAUSED):
        print(f"{coordinator.config.name} was not paused")
        return
    coordinator.store.keep(SINCE, coordinator.clock().isoformat())
    coordinator.store.keep(PAUSED, "")
    print(f"{coordinator.config.name} is resumed")


@app.command()
@configured
def trigger(source: ConfigSource, debug: bool) -> None:
    """Run now, whatever the schedule says, with its retries, alerts and history."""
    from pipeline.schedule.attempts import Kind
    from pipeline.schedule.daemon import need_receivers, stop_when_signalled

    with display() as shown:
        coordinator = _coordinator(source, debug, shown)
        need_receivers(coordinator.config.schedule)
        with stop_when_signalled(coordinator):
            done = coordinator.deal_with(Kind.TRIGGERED, coordinator.clock())
    raise typer.Exit(CODES.get(done.verdict, ExitCode.FAILED))


@app.command()
@configured
def backfill(
    source: ConfigSource,
    debug: bool,
    first: Annotated[str, typer.Option("--from", help="The first span: a date such as 2024-05-31, or a number.")],
    last: Annotated[str, typer.Option("--to", help="The last span.")],
    again: Annotated[
        bool, typer.Option("--again", help="Also run spans whose images a run has judged before.")
    ] = False,
) -> None:
    """Run once for each span of a range, the oldest first, such as days whose images came late."""
    from pipeline.schedule.attempts import Kind
    from pipeline.schedule.daemon import need_receivers, stop_when_signalled
    from pipeline.schedule.notes import day_start

    codes = []
    with display() as shown:
        coordinator = _coordinator(source, debug, shown)
        need_receivers(coordinator.config.schedule)
        with stop_when_signalled(coordinator):
            for span in _range(first, last):
                slot = day_start(coordinator.config, span) if isinstance(span, date) else coordinator.clock()
                before = coordinator.judged_span(slot, str(span))
                if before and not again:
                    seen = f"attempt {before.id} {before.verdict} it, and no image is new"
                    shown.say(f"{span}: {seen}; --again runs it again")
                    continue
                done = coordinator.deal_with(Kind.BACKFILL, slot, str(span))
                codes.append(CODES.get(done.verdict, ExitCode.FAILED))
                if coordinator.stop.is_set():
                    break
    # The worst of them: a refusal must not hide a failure.
    raise typer.Exit(ExitCode.FAILED if ExitCode.FAILED in codes else max(codes, default=ExitCode.PUSHED))


def _range(first: str, last: str) -> list[date] | list[int]:
    """The spans from first to last.

    Raises:
      ConfigError: they are neither two dates nor two numbers, or the wrong way round.
    """
    if first.isdecimal() and last.isdecimal() and len(first) != len("20240531"):
        numbers = list(range(int(first), int(last) + 1))
        if numbers:
            return numbers
    else:
        try:
            start, end = date.fromisoformat(first), date.fromisoformat(last)
        except ValueError as error:
            raise ConfigError(
                f"got --from {first} --to {last}, expected dates such as 2024-05-31, or numbers"
            ) from error
        if start <= end:
            return [start + timedelta(days=day) for day in range((end - start).days + 1)]
    raise ConfigError(f"got --from {first} --to {last}, expected the earlier one first")
