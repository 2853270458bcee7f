"""`effnet schedule`: runs that start by themselves. Each command imports what it needs when it runs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli_options import ConfigOption, DebugOption, SetOption
from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config

if TYPE_CHECKING:
    from pipeline.kubeflow.service import Kubeflow

app = typer.Typer(no_args_is_help=True, help="Runs that start by themselves.")


class Engine(StrEnum):
    """Who starts the runs."""

    KUBEFLOW = "kubeflow"


EngineOption = Annotated[Engine, typer.Option("--engine", help="Who starts the runs.")]


def _kubeflow(settings: PipelineConfig) -> "Kubeflow":
    from pipeline.kubeflow.connection import connect
    from pipeline.kubeflow.service import Kubeflow

    kubeflow = settings.runners.kubeflow
    return Kubeflow(connect(kubeflow.endpoint), kubeflow.service_account)


@app.command()
def create(
    engine: EngineOption,
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday, as in '0 2 * * *'.")],
    timezone: Annotated[str, typer.Option(help="In which the hours count, such as Europe/Berlin.")] = "UTC",
    config: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Run the newest uploaded version again and again: one run at a time, without catching up on missed ones."""
    from pipeline.kubeflow.schedule import backend_cron

    settings = load_config(config, overrides or ())
    expression = backend_cron(cron, timezone)
    schedule = _kubeflow(settings).schedule(settings.name, expression)
    print(f"{settings.name} runs at '{expression}' from now on: schedule {schedule.recurring_run_id}")


@app.command(name="list")
def show(
    engine: EngineOption,
    config: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """List the schedules of this pipeline."""
    settings = load_config(config, overrides or ())
    table = Table("schedule", "when", "state", "version")
    for one in _kubeflow(settings).schedules(settings.name):
        trigger = one.trigger
        when = (
            trigger.cron_schedule.cron
            if trigger.cron_schedule
            else f"every {trigger.periodic_schedule.interval_second} s"
        )
        version = one.pipeline_version_reference.pipeline_version_id
        table.add_row(one.recurring_run_id, when, str(one.status), version)
    Console().print(table)


@app.command()
def delete(
    engine: EngineOption,
    config: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """End the schedules of this pipeline; runs under way go on."""
    settings = load_config(config, overrides or ())
    kubeflow = _kubeflow(settings)
    found = kubeflow.schedules(settings.name)
    for one in found:
        kubeflow.delete_schedule(one.recurring_run_id)
    print(f"{len(found)} schedule(s) of {settings.name} ended")
