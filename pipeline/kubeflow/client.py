"""What the tfx and effnet command lines ask of Kubeflow Pipelines, each a method."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import kfp
import kfp_server_api as api

from components.common.json_types import Parsed
from pipeline.kubeflow.connection import explained
from pipeline.kubeflow.errors import KubeflowError

PAGE = 100
NEWEST_FIRST = "created_at desc"
CONVERSIONS: dict[str, Callable[[str], object]] = {
    "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": json.loads, "LIST": json.loads, "STRUCT": json.loads,
}  # fmt: skip


Listed: TypeAlias = api.V2beta1Pipeline | api.V2beta1PipelineVersion | api.V2beta1Run | api.V2beta1RecurringRun
Specification: TypeAlias = dict[str, Parsed]
"""The intermediate representation of a pipeline, as JSON."""


class Page(Protocol):
    """A part of a list, which is in a field of its own."""

    next_page_token: str


class KubeflowClient:
    """Pipelines, runs and schedules of one installation; every method raises KubeflowError."""

    def __init__(self, client: kfp.Client, service_account: str | None = None):
        self._client, self._account = client, service_account
        self._url = client._existing_config.host  # kfp has no public name for it

    def create(self, name: str, package: Path) -> str:
        """Uploads a new pipeline; returns its id."""
        taken = f"a pipeline called {name} is there already; `tfx pipeline update` gives it a new version"
        with explained(self._url, clash=taken):
            if self._client.get_pipeline_id(name):
                raise KubeflowError(taken)
            return str(self._client.upload_pipeline(str(package), name).pipeline_id)

    def update(self, name: str, package: Path, version: str | None = None) -> str:
        """Uploads a new version, and lets the schedules that ran the version before run it; returns its id."""
        pipeline_id = self.pipeline_id(name)
        version = version or f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        taken = f"a version called {version} of {name} is there already; update again in a second"
        with explained(self._url, clash=taken):
            version_id: str = self._client.upload_pipeline_version(
                str(package), version, pipeline_id=pipeline_id
            ).pipeline_version_id
        for schedule in self.schedules(name):
            self._move(schedule, pipeline_id, version_id)
        return version_id

    def _move(self, schedule: api.V2beta1RecurringRun, pipeline_id: str, version_id: str) -> None:
        """Re-creates a schedule for another version, which a schedule is bound to; the old one goes last."""
        kept = ("display_name", "description", "experiment_id", "trigger", "runtime_config", "service_account")
        body = api.V2beta1RecurringRun(
            **{field: getattr(schedule, field) for field in (*kept, "max_concurrency", "no_catchup")},
            mode=api.RecurringRunMode.DISABLE if schedule.status == "DISABLED" else api.RecurringRunMode.ENABLE,
            pipeline_version_reference=api.V2beta1PipelineVersionReference(
                pipeline_id=pipeline_id, pipeline_version_id=version_id
            ),
        )
        with explained(self._url):
            # kfp.Client.create_recurring_run takes no trigger as the API gives it back.
            self._client._recurring_run_api.recurring_run_service_create_recurring_run(body)
        self.delete_schedule(schedule.recurring_run_id)

    def pipelines(self) -> list[Listed]:
        """All pipelines."""
        return self._all(self._client.list_pipelines, "pipelines")

    def delete(self, name: str) -> None:
        """Deletes a pipeline, its versions and its schedules; its runs stay.

        The API refuses to delete a pipeline that has versions; those of KFP 2.14 and later can be told to (#12019).
        """
        pipeline_id = self.pipeline_id(name)
        for schedule in self.schedules(name):
            self.delete_schedule(schedule.recurring_run_id)
        with explained(self._url):
            for version in self._all(self._client.list_pipeline_versions, "pipeline_versions", pipeline_id=pipeline_id):
                self._client.delete_pipeline_version(pipeline_id, version.pipeline_version_id)
            self._client.delete_pipeline(pipeline_id)

    def pipeline_id(self, name: str) -> str:
        """The id of the pipeline called `name`."""
        with explained(self._url):
            found: str | None = self._client.get_pipeline_id(name)
        if not found:
            known = ", ".join(pipeline.display_name for pipeline in self.pipelines()) or "none"
            raise KubeflowError(
                f"no pipeline is called {name} at {self._url}, known: {known}; `tfx pipeline create` it"
            )
        return found

    def start(self, name: str, parameters: dict[str, str]) -> api.V2beta1Run:
        """Starts a run of the newest version."""
        pipeline_id, version = self._newest_version(name)
        with explained(self._url):
            return self._client.run_pipeline(
                experiment_id=self._experiment(name),
                job_name=f"{name} {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}",
                params=typed(parameters, specification(version)),
                pipeline_id=pipeline_id,
                version_id=version.pipeline_version_id,
                # The backend looks at a run's own root only, and not at the pipeline's default.
                pipeline_root=specification(version).get("defaultPipelineRoot"),
                service_account=self._account,
            )

    def runs(self, name: str) -> list[Listed]:
        """All runs of a pipeline, the newest first."""
        self.pipeline_id(name)
        return self._in_experiment(name, self._client.list_runs, "runs")

    def run(self, run_id: str) -> api.V2beta1Run:
        """One run."""
        with explained(self._url):
            return self._client.get_run(run_id)

    def terminate(self, run_id: str) -> None:
        """Stops a run."""
        with explained(self._url):
            self._client.terminate_run(run_id)

    def delete_run(self, run_id: str) -> None:
        """Deletes a run."""
        with explained(self._url):
            self._client.delete_run(run_id)

    def schedule(self, name: str, cron: str) -> api.V2beta1RecurringRun:
        """Runs the newest version again and again: one run at a time, and only the latest of those that were missed.

        Args:
          name: the pipeline's.
          cron: six fields, seconds first, with TZ=<zone> before them; see `schedule.backend_cron`.
        """
        pipeline_id, version = self._newest_version(name)
        taken = f"{name} has a schedule already; `effnet schedule delete --engine kubeflow` ends it"
        if self.schedules(name):
            raise KubeflowError(taken)
        with explained(self._url, clash=taken):
            return self._client.create_recurring_run(
                experiment_id=self._experiment(name),
                job_name=name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                pipeline_id=pipeline_id,
                version_id=version.pipeline_version_id,
                pipeline_root=specification(version).get("defaultPipelineRoot"),
                service_account=self._account,
            )

    def schedules(self, name: str) -> list[Listed]:
        """The schedules of a pipeline, whatever version they run."""
        pipeline_id = self.pipeline_id(name)
        every = self._in_experiment(name, self._client.list_recurring_runs, "recurring_runs")
        # One that was made from a file, and not from an uploaded version, refers to none.
        references = [(one, one.pipeline_version_reference) for one in every]
        return [one for one, reference in references if reference and reference.pipeline_id == pipeline_id]

    def delete_schedule(self, schedule_id: str) -> None:
        """Ends a schedule."""
        with explained(self._url):
            self._client.delete_recurring_run(schedule_id)

    def _experiment(self, name: str) -> str:
        """The group that a pipeline's runs are in, made with the first."""
        with explained(self._url):
            return self._known_experiment(name) or self._client.create_experiment(name).experiment_id

    def _known_experiment(self, name: str) -> str | None:
        try:
            found = self._client.get_experiment(experiment_name=name, namespace=self._client.get_user_namespace())
        except ValueError:  # kfp's way to say that there is none
            return None
        return str(found.experiment_id)

    def _in_experiment(self, name: str, call: Callable[..., Page], field: str) -> list[Listed]:
        with explained(self._url):
            experiment = self._known_experiment(name)
        return self._all(call, field, experiment_id=experiment, sort_by=NEWEST_FIRST) if experiment else []

    def _newest_version(self, name: str) -> tuple[str, api.V2beta1PipelineVersion]:
        pipeline_id = self.pipeline_id(name)
        with explained(self._url):
            found = self._client.list_pipeline_versions(pipeline_id, page_size=1, sort_by=NEWEST_FIRST)
        if not found.pipeline_versions:
            raise KubeflowError(f"{name} has no version to run; `tfx pipeline update` uploads one")
        return pipeline_id, found.pipeline_versions[0]

    def _all(self, call: Callable[..., Page], field: str, **arguments: str) -> list[Listed]:
        """All pages of a list."""
        found: list[Listed] = []
        token = ""
        while True:
            with explained(self._url):
                page = call(page_token=token, page_size=PAGE, **arguments)
            found += getattr(page, field) or []
            token = page.next_page_token
            if not token:
                return found


def specification(version: api.V2beta1PipelineVersion) -> Specification:
    """The IR of a version; beside a platform spec it lies one level deeper."""
    spec: Specification = version.pipeline_spec or {}
    inner: Specification = spec.get("pipeline_spec", spec)
    return inner


def typed(parameters: dict[str, str], spec: Specification) -> dict[str, object]:
    """The parameters of a run in the types that the pipeline asks for; the API refuses all others.

    Raises:
      KubeflowError: the pipeline has no such parameter, or the value is not of its type.
    """
    known = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    values: dict[str, object] = {}
    for name, text in parameters.items():
        if name not in known:
            raise KubeflowError(f"the pipeline has no parameter {name}, known: {', '.join(known) or 'none'}")
        kind = known[name]["parameterType"]
        try:
            values[name] = CONVERSIONS.get(kind, str)(text)
        except ValueError as error:
            raise KubeflowError(f"parameter {name}: got {text}, expected {kind.lower()}") from error
    return values
