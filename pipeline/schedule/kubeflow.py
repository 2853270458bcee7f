"""The commands of `effnet schedule` that are about Kubeflow's recurring runs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from components.common.human_format import counted
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.shared_options import configured
from pipeline.terminal import print_table

if TYPE_CHECKING:
    from pipeline.kubeflow.client import KubeflowClient

app = typer.Typer()


class Cluster(StrEnum):
    """Who starts the runs."""

    KUBEFLOW = "kubeflow"


ClusterOption = Annotated[Cluster, typer.Option("--engine", help="Who starts the runs.")]


def _kubeflow(settings: PipelineConfig) -> "KubeflowClient":
    from pipeline.kubeflow.client import KubeflowClient
    from pipeline.kubeflow.connection import connect

    kubeflow = settings.runners.kubeflow
    return KubeflowClient(connect(kubeflow.endpoint), kubeflow.service_account)


@app.command()
@configured
def create(
    settings: PipelineConfig,
    engine: ClusterOption,
    cron: Annotated[
        str | None, typer.Option(help="Minute, hour, day, month, weekday, as in '0 2 * * *'; else schedule.cron.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="In which the hours count, such as Europe/Berlin; else schedule.timezone.")
    ] = None,
) -> None:
    """On Kubeflow: run the newest uploaded version again and again, without catching up on missed times."""
    from pipeline.schedule.kubeflow_cron import backend_cron

    when = cron or settings.schedule.cron
    if when is None:
        raise ConfigError("schedule.cron: is null; set it, or give --cron, such as '0 2 * * *'")
    zone, backend_zone = timezone or settings.schedule.timezone, settings.runners.kubeflow.cron_timezone
    expression = backend_cron(when, zone, backend_zone)
    schedule = _kubeflow(settings).schedule(settings.name, expression)
    print(
        f"{settings.name} runs at '{when}' ({zone}) from now on, which Kubeflow notes as '{expression}' "
        f"({backend_zone}): schedule {schedule.recurring_run_id}"
    )


@app.command()
@configured
def delete(
    settings: PipelineConfig,
    engine: ClusterOption,
) -> None:
    """On Kubeflow: end the schedules of this pipeline; runs under way go on."""
    deleted, under_way = _kubeflow(settings).end_schedules(settings.name)
    if deleted or not under_way:
        print(f"{counted(deleted, 'schedule')} of {settings.name} deleted")
    for schedule, runs in under_way.items():
        # Kubernetes would delete the run with it.
        print(
            f"schedule {schedule} starts no further run, and stays in the list, paused, while {', '.join(runs)} is "
            "under way; delete it again afterwards"
        )


def show(settings: PipelineConfig) -> None:
    """Lists the schedules of this pipeline."""
    table = Table("schedule", "when", "state", "version")
    for one in _kubeflow(settings).schedules(settings.name):
        trigger = one.trigger
        when = (
            trigger.cron_schedule.cron
            if trigger.cron_schedule
            else f"every {trigger.periodic_schedule.interval_second} s"
        )
        version = one.pipeline_version_reference.pipeline_version_id or "the newest"
        table.add_row(one.recurring_run_id, when, str(one.status), version)
    print_table(table)
