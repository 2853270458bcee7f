"""The handler of the stock `tfx` command line for `--engine airflow`; tfx_efficientnet_hook puts it in place of TFX's.

TFX's own wants Airflow in the same environment, see `airflow_runner`. This one needs only Airflow's folder of DAGs:
AIRFLOW__CORE__DAGS_FOLDER, else `dags` in AIRFLOW_HOME, else in ~/airflow.
"""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import click
from tfx.tools.cli import labels
from tfx.tools.cli.handler import base_handler

from components.common import files
from pipeline.config.model import ConfigError
from pipeline.config.secrets import hide_secrets
from pipeline.execution.prepare import source_from_environment

SETTINGS_FILE, DAG_FILE = "effnet.json", "airflow_runner.py"


class DagSettings(TypedDict):
    """A DAG's settings, in `SETTINGS_FILE` in its folder; pipeline/airflow_runner.py reads them."""

    name: str
    cron: str | None
    timezone: str
    catch_up: str
    since: str  # ISO 8601
    folder: str  # where relative paths in EFFNET_SET start
    effnet: list[str]  # command
    options: list[str]  # of that command


class AirflowHandler(base_handler.BaseHandler):
    """`tfx pipeline` and `tfx run`, through Airflow's folder of DAGs and its command line."""

    @property
    def _dags(self) -> Path:
        home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
        return Path(os.environ.get("AIRFLOW__CORE__DAGS_FOLDER") or home / "dags")

    @property
    def _name(self) -> str:
        return str(self.flags_dict[labels.PIPELINE_NAME])

    def create_pipeline(self) -> None:
        """Writes a DAG; fails if there is one of that name."""
        self._write("created", there=False)

    def update_pipeline(self) -> None:
        """Writes a DAG again, with the schedule as it is now."""
        self._write("updated", there=True)

    def _write(self, done: str, there: bool) -> None:
        runner = Path(self.flags_dict[labels.PIPELINE_DSL_PATH])
        if not runner.is_file():
            raise click.ClickException(f"got no file {runner}, expected pipeline/{DAG_FILE}")
        source = source_from_environment()
        try:
            config = source.load()
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
        folder = self._dags / config.name
        if folder.exists() != there:
            other, is_there = ("create", "no") if there else ("update", "a")
            raise click.ClickException(f"there is {is_there} DAG {config.name} in {self._dags}; `tfx pipeline {other}`")
        schedule, options = config.schedule, source.options
        effnet = [sys.executable, "-P", "-m", "pipeline.cli"]
        # Airflow fills in templates, also in the name of a folder; in the options they are turned off.
        templates = [text for text in (str(Path.cwd()), *effnet) if any(mark in text for mark in ("{{", "{%", "{#"))]
        templates += [text for text in options if "endraw" in text]
        if templates:
            raise click.ClickException(f"got {templates[0]}, which Airflow takes for a template; rename it")
        if secret := next((text for text in options if hide_secrets(text) != text), None):
            raise click.ClickException(f"got a secret in {hide_secrets(secret)}; put it into Airflow's environment")
        settings: DagSettings = {
            "name": config.name,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "catch_up": schedule.catch_up,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "folder": str(Path.cwd()),  # where relative paths in EFFNET_SET start
            "effnet": effnet,
            "options": options,
        }
        before = _read(folder) if there else None
        if before and (before["cron"], before["timezone"]) == (settings["cron"], settings["timezone"]):
            settings["since"] = before["since"]  # else Airflow's catchup would skip times that it has yet to run
        folder.mkdir(parents=True, exist_ok=True)
        files.write_text(str(folder / SETTINGS_FILE), json.dumps(settings, indent=2) + "\n")
        files.copy(str(runner), str(folder / DAG_FILE))
        click.echo(f'Pipeline "{config.name}" {done} successfully: {folder}')

    def list_pipelines(self) -> None:
        """Prints the pipelines that have a DAG."""
        names = sorted(path.parent.name for path in self._dags.glob(f"*/{SETTINGS_FILE}"))
        click.echo("\n".join(names) if names else "No pipelines.")

    def delete_pipeline(self) -> None:
        """Deletes the DAG; what it trained and pushed stays."""
        folder = self._dags / self._name
        if not (folder / SETTINGS_FILE).is_file():
            raise click.ClickException(f"there is no DAG {self._name} in {self._dags}")
        shutil.rmtree(folder)
        click.echo(f"Pipeline {self._name} deleted successfully.")

    def compile_pipeline(self) -> None:
        """Refuses: there is nothing to compile."""
        raise click.ClickException(f"{DAG_FILE} is already a DAG; `tfx pipeline create --engine airflow` installs it")

    def create_run(self) -> None:
        """Starts a run now."""
        self._airflow("unpause", self._name)
        self._airflow("trigger", self._name)
        click.echo(f"Run created for pipeline: {self._name}")

    def list_runs(self) -> None:
        """Prints the runs of a pipeline."""
        self._airflow("list-runs", self._name)

    def get_run(self) -> None:
        """Prints the state of a run."""
        self._airflow("state", self._name, self.flags_dict[labels.RUN_ID])

    def terminate_run(self) -> None:
        """Refuses, and says how to stop a run."""
        raise click.ClickException("stop a run in Airflow: mark it as failed there; clear its task to resume it")

    def delete_run(self) -> None:
        """Refuses, and says how to delete a run."""
        raise click.ClickException("delete a run in Airflow, from its list of runs")

    def get_schema(self) -> None:
        """Refuses, and says where the schema is: it is curated, not inferred by a run."""
        raise click.ClickException("the schema is data/schema.pbtxt; the classes of a run are in its CuratedSchema")

    def _airflow(self, *arguments: str) -> None:
        airflow = shutil.which("airflow")
        if not airflow:
            raise click.ClickException(
                "found no airflow command on the PATH; add the bin folder of Airflow's environment"
            )
        done = subprocess.run([airflow, "dags", *arguments])
        if done.returncode:
            raise click.ClickException(f"airflow dags {' '.join(arguments)} ended with status {done.returncode}")


def _read(folder: Path) -> "DagSettings | None":
    """The settings in a DAG's folder; None if there are none yet."""
    path = folder / SETTINGS_FILE
    settings: DagSettings | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return settings
