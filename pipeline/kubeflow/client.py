"""What the tfx and effnet command lines ask of Kubeflow Pipelines, each a method."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import kfp_server_api as api

from components.common.json_types import Parsed
from pipeline.kubeflow.connection import explained
from pipeline.kubeflow.errors import KubeflowError
from pipeline.kubeflow.lists import Specification, specification
from pipeline.kubeflow.schedules import KubeflowSchedules
from pipeline.kubeflow.troubles import Trouble, troubles_of

CONVERSIONS: dict[str, Callable[[str], object]] = {
    "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": json.loads, "LIST": json.loads, "STRUCT": json.loads,
}  # fmt: skip


class KubeflowClient(KubeflowSchedules):
    """Pipelines, runs and schedules of one installation; every method raises KubeflowError."""

    def create(self, name: str, package: Path) -> str:
        """Uploads a new pipeline; returns its id."""
        taken = f"a pipeline called {name} is there already; `tfx pipeline update` gives it a new version"
        with explained(self._url, clash=taken):
            if self._client.get_pipeline_id(name):
                raise KubeflowError(taken)
            return str(self._client.upload_pipeline(str(package), name).pipeline_id)

    def update(self, name: str, package: Path, version: str | None = None) -> str:
        """Uploads a new version, which the pipeline's schedules run from then on; returns its id."""
        pipeline_id = self.pipeline_id(name)
        version = version or f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        taken = f"a version called {version} of {name} is there already; update again in a second"
        with explained(self._url, clash=taken):
            version_id: str = self._client.upload_pipeline_version(
                str(package), version, pipeline_id=pipeline_id
            ).pipeline_version_id
        self._unpin_schedules(name, pipeline_id)
        return version_id

    def delete(self, name: str) -> None:
        """Deletes a pipeline, its versions and its schedules; its runs stay, and those under way go on.

        The API refuses to delete a pipeline that has versions; those of KFP 2.14 and later can be told to (#12019).

        Raises:
          KubeflowError: a schedule's run is under way, which would end with it; the schedule starts no other.
        """
        pipeline_id = self.pipeline_id(name)
        _, under_way = self.end_schedules(name)
        if runs := [run for started in under_way.values() for run in started]:
            raise KubeflowError(
                f"{name} is not deleted: its schedule is paused, but started {', '.join(runs)}, still under way, which "
                "would end with it; delete again once it has ended, or `tfx run terminate` it first"
            )
        with explained(self._url):
            for version in self._all(self._client.list_pipeline_versions, "pipeline_versions", pipeline_id=pipeline_id):
                self._client.delete_pipeline_version(pipeline_id, version.pipeline_version_id)
            self._client.delete_pipeline(pipeline_id)

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

    def run(self, run_id: str) -> api.V2beta1Run:
        """One run."""
        with explained(self._url):
            return self._client.get_run(run_id)

    def troubles(self, run_id: str) -> list[Trouble]:
        """Why a run failed, was refused or waits; nothing if all is well, or if its workflow is not on record."""
        return troubles_of(self.workflow(run_id))

    def workflow(self, run_id: str) -> Parsed:
        """The Argo workflow of a run, as JSON, as Kubeflow last saw it; empty if it is not on record."""
        record = self._first_version("/runs/{run_id}", run_id=run_id)
        manifest = (record.get("pipeline_runtime") or {}).get("workflow_manifest")
        return json.loads(manifest) if manifest else {}

    def installation(self) -> tuple[str, bool]:
        """Its version, "" if it does not say that, and whether several users share it."""
        health = self._first_version("/healthz")
        return str(health.get("tag_name") or ""), bool(health.get("multi_user"))

    def _first_version(self, path: str, **values: str) -> Parsed:
        """What the API's first version answers, for which kfp_server_api has no calls; empty where there is none."""
        with explained(self._url):
            try:
                return self._client._run_api.api_client.call_api(
                    f"/apis/v1beta1{path}", "GET", values, header_params={"Accept": "application/json"},
                    response_type="object", auth_settings=["Bearer"], _return_http_data_only=True,
                )  # fmt: skip
            except api.ApiException as error:
                if error.status == 404:  # a Kubeflow that has dropped it
                    return {}
                raise

    def terminate(self, run_id: str) -> None:
        """Stops a run.

        Raises:
          KubeflowError: among others: its workflow is not there any more, so nothing of it runs.
        """
        try:
            with explained(self._url):
                self._client.terminate_run(run_id)
        except KubeflowError as error:
            # KFP then answers 500 and says CANCELING of the run from then on.
            if "workflows.argoproj.io" in str(error) and "not found" in str(error):
                raise KubeflowError(
                    f"run {run_id} has no workflow any more, so nothing of it runs; `tfx run delete` clears its record"
                ) from error
            raise

    def delete_run(self, run_id: str) -> None:
        """Deletes a run."""
        with explained(self._url):
            self._client.delete_run(run_id)


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
