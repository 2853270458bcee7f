"""What Kubeflow Pipelines lists: its pipelines, their versions, runs and schedules, read to the last page."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import kfp
import kfp_server_api as api

from components.common.json_types import Parsed
from pipeline.kubeflow.connection import explained
from pipeline.kubeflow.errors import KubeflowError

PAGE = 100
NEWEST_FIRST = "created_at desc"


Listed: TypeAlias = api.V2beta1Pipeline | api.V2beta1PipelineVersion | api.V2beta1Run | api.V2beta1RecurringRun
Specification: TypeAlias = dict[str, Parsed]
"""The intermediate representation of a pipeline, as JSON."""


class Page(Protocol):
    """A part of a list, which is in a field of its own."""

    next_page_token: str


class KubeflowLists:
    """What is in one installation; every method raises KubeflowError."""

    def __init__(self, client: kfp.Client, service_account: str | None = None):
        self._client, self._account = client, service_account
        self._url = client._existing_config.host  # kfp has no public name for it

    def pipelines(self) -> list[Listed]:
        """All pipelines."""
        return self._all(self._client.list_pipelines, "pipelines")

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

    def runs(self, name: str) -> list[Listed]:
        """All runs of a pipeline, the newest first."""
        self.pipeline_id(name)
        return self._in_experiment(name, self._client.list_runs, "runs")

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
