"""`effnet runs --engine kubeflow`: the runs of this pipeline there, and what came of each."""

from dataclasses import dataclass
from datetime import timedelta

from rich.table import Column, Table

from pipeline.config.model import PipelineConfig
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.schedules import ENDED
from pipeline.kubeflow.troubles import state_of
from pipeline.shared_options import print_json
from pipeline.terminal import print_table, say, styled

COLOURS = {"succeeded": "green", "refused": "red", "failed": "red", "running": "yellow", "pending": "yellow"}


@dataclass(frozen=True)
class KubeflowRun:
    """One line of the list.

    Attributes:
      run: Kubeflow's id.
      started: in UTC.
      seconds: how long it took; None while it is under way.
      result: Kubeflow's state in small letters, or refused.
      why: what is the matter, one line.
    """

    run: str
    started: str
    seconds: int | None
    result: str
    why: str


def list_runs(config: PipelineConfig, last: int) -> list[KubeflowRun]:
    """The newest runs, the newest first.

    Raises:
      KubeflowError: nobody answers, or there is no such pipeline.
    """
    settings = config.runners.kubeflow
    kubeflow = KubeflowClient(connect(settings.endpoint), settings.service_account)
    found = []
    for run in kubeflow.runs(config.name)[:last]:
        troubles = [] if run.state == "SUCCEEDED" else kubeflow.troubles(run.run_id)
        ended = run.finished_at if run.state in ENDED else None
        found.append(
            KubeflowRun(
                run=run.run_id,
                started=run.created_at.isoformat(sep=" ", timespec="seconds"),
                seconds=round((ended - run.created_at).total_seconds()) if ended else None,
                result=state_of(run.state, troubles).lower(),
                why="; ".join(map(str, troubles)),
            )
        )
    return found


def print_runs(config: PipelineConfig, as_json: bool, last: int) -> None:
    """Prints the list as a table, or as JSON."""
    lines = list_runs(config, last)
    if as_json:
        print_json(lines)
        return
    if not lines:
        say(f"No runs of {config.name} on Kubeflow. Start one with `tfx run create --engine kubeflow`.")
        return
    table = Table("run", "started", "took", Column("result", overflow="fold"))
    for line in reversed(lines):
        took = "-" if line.seconds is None else str(timedelta(seconds=line.seconds))
        why = f": {line.why}" if line.why else ""
        table.add_row(line.run, line.started[:16], took, styled((line.result, COLOURS.get(line.result, "")), why))
    print_table(table)
