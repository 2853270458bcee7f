"""The stock `tfx` command line's handler for `--engine kubeflow`; tfx_efficientnet_hook puts it in place of TFX's."""

import tempfile
from collections.abc import Callable, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import click
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.tfx_runner import TfxRunner
from tfx.tools.cli import labels
from tfx.tools.cli.handler import base_handler
from tfx.tools.cli.handler.kubeflow_v2_dag_runner_patcher import KubeflowV2DagRunnerPatcher

from components.common.json_types import Parsed
from pipeline.config.model import ConfigError
from pipeline.execution.prepare import config_from_environment
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.errors import KubeflowError
from pipeline.kubeflow.lists import Listed
from pipeline.kubeflow.troubles import state_of

Handler = TypeVar("Handler", bound=type)
COMMANDS = (
    "create_pipeline", "update_pipeline", "list_pipelines", "delete_pipeline", "compile_pipeline",
    "create_run", "delete_run", "terminate_run", "list_runs", "get_run", "get_schema",
)  # fmt: skip


class Patcher(KubeflowV2DagRunnerPatcher):
    """Has the pipeline of the runner file written to a folder; None: the current one."""

    def __init__(self, folder: str | None):
        super().__init__(call_real_run=True)
        self._folder = folder

    def _before_run(self, runner: TfxRunner, pipeline: Pipeline, context: MutableMapping[str, Parsed]) -> None:
        if self._folder and isinstance(runner, KubeflowV2DagRunner):
            runner._output_dir = self._folder


def _with_plain_errors(handler: Handler) -> Handler:
    """Lets every command of the handler end with one line instead of a traceback."""

    def plain(command: Callable[..., None]) -> Callable[..., None]:
        def wrapper(self: object, *arguments: object) -> None:
            try:
                command(self, *arguments)
            except (KubeflowError, ConfigError) as error:
                raise click.ClickException(str(error)) from error

        wrapper.__doc__ = command.__doc__
        return wrapper

    for name in COMMANDS:
        setattr(handler, name, plain(getattr(handler, name)))
    return handler


@_with_plain_errors
class KubeflowHandler(base_handler.BaseHandler):
    """`tfx pipeline` and `tfx run`, through kfp.Client.

    The endpoint comes from --endpoint, KF_PIPELINES_ENDPOINT or pipeline.yaml, a token from KF_PIPELINES_TOKEN.
    """

    @cached_property
    def _kubeflow(self) -> KubeflowClient:
        settings = config_from_environment().runners.kubeflow
        client = connect(
            self.flags_dict.get(labels.ENDPOINT) or settings.endpoint,
            self.flags_dict.get(labels.NAMESPACE) or "kubeflow",
            self.flags_dict.get(labels.IAP_CLIENT_ID) or "",
        )
        return KubeflowClient(client, settings.service_account)

    @property
    def _name(self) -> str:
        return str(self.flags_dict[labels.PIPELINE_NAME])

    def create_pipeline(self) -> None:
        """Compiles and uploads a pipeline."""
        kubeflow = self._kubeflow  # before the compiler takes its minute
        with tempfile.TemporaryDirectory() as folder:
            name, package = self._compile(folder)
            pipeline_id = kubeflow.create(name, package)
        click.echo(f'Pipeline "{name}" created successfully: {pipeline_id}')

    def update_pipeline(self) -> None:
        """Compiles and uploads a new version; schedules go on with it."""
        kubeflow = self._kubeflow
        with tempfile.TemporaryDirectory() as folder:
            name, package = self._compile(folder)
            version_id = kubeflow.update(name, package)
        click.echo(f'Pipeline "{name}" updated successfully: version {version_id}')

    def compile_pipeline(self) -> None:
        """Compiles into the current folder; needs no cluster."""
        _, package = self._compile(None)
        click.echo("Pipeline compiled successfully.")
        click.echo(f"Pipeline package path: {package}")

    def _compile(self, folder: str | None) -> tuple[str, Path]:
        if self.flags_dict.get(labels.BUILD_IMAGE):
            raise KubeflowError("--build_image: build the image from the Dockerfile, see docs/kubeflow.md, and name it")
        patcher = Patcher(folder)
        context = self.execute_dsl(patcher)
        name = context[patcher.PIPELINE_NAME]
        return name, Path(folder or ".").resolve() / f"{name}.yaml"

    def list_pipelines(self) -> None:
        """Prints the pipelines."""
        pipelines = self._kubeflow.pipelines()
        rows = [[one.display_name, one.pipeline_id, one.created_at.isoformat()] for one in pipelines]
        click.echo(
            self._format_table(["pipeline_name", "pipeline_id", "created_at"], rows) if rows else "No pipelines."
        )

    def delete_pipeline(self) -> None:
        """Deletes a pipeline, its versions and its schedules."""
        self._kubeflow.delete(self._name)
        click.echo(f"Pipeline {self._name} deleted successfully.")

    def create_run(self) -> None:
        """Starts a run of the newest version."""
        run = self._kubeflow.start(self._name, self.flags_dict.get(labels.RUNTIME_PARAMETER) or {})
        click.echo(f"Run created for pipeline: {self._name}")
        self._print_runs([run])

    def list_runs(self) -> None:
        """Prints the runs of a pipeline, the newest first."""
        self._print_runs(self._kubeflow.runs(self._name))

    def get_run(self) -> None:
        """Prints the state of a run, and why it failed, was refused or waits."""
        run = self._kubeflow.run(self.flags_dict[labels.RUN_ID])
        troubles = self._kubeflow.troubles(run.run_id)
        run.state = state_of(run.state, troubles)
        self._print_runs([run])
        if run.error and run.error.message:
            click.echo(f"error: {run.error.message}")
        for trouble in troubles:
            click.echo(str(trouble))

    def terminate_run(self) -> None:
        """Stops a run."""
        self._kubeflow.terminate(self.flags_dict[labels.RUN_ID])
        click.echo("Run terminated.")

    def delete_run(self) -> None:
        """Deletes a run."""
        self._kubeflow.delete_run(self.flags_dict[labels.RUN_ID])
        click.echo("Run deleted.")

    def get_schema(self) -> None:
        """Says where the schema is: it is curated here, and not inferred by a run."""
        raise KubeflowError("the schema is data/schema.pbtxt, and the classes of a run are in its CuratedSchema")

    def _print_runs(self, runs: list[Listed]) -> None:
        rows = [[run.display_name, run.run_id, str(run.state), run.created_at.isoformat()] for run in runs]
        click.echo(self._format_table(["run", "run_id", "state", "created_at"], rows) if rows else "No runs found.")
