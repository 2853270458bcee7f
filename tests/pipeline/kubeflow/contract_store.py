"""What Kubeflow Pipelines' API server knows and refuses, in memory: the half of the contract server behind HTTP.

Every body must have the fields of its model in kfp_server_api, and no others; every answer is made from a model. Beyond
the models it keeps the rules of backend/src/apiserver that the command line meets: server/pipeline_upload_server.go
(answers 500 with error_message where a name is taken), template/v2_template.go (what a pipeline's YAML must be),
resource/resource_manager.go (a pipeline with versions is not deleted). What is more than that was seen on KFP 2.15.0
with Argo 3.7.3 on Kubernetes 1.34: the texts of refusals are its own.
"""

import datetime
import json
import re
import uuid
from typing import Any

import kfp_server_api as api
import yaml

CRON_LIMITS = (59, 59, 23, 31, 12, 6)  # of second, minute, hour, day, month, weekday
CRON_REFUSED = (
    "Failed to create a recurring run due to conversion error: Invalid input error: Schedule cron is not a supported "
    "format(https://godoc.org/github.com/robfig/cron). Error: {0}"
)


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: dict):
        super().__init__(status)
        self.status, self.body = status, body


def refuse(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": message, "code": status, "message": message, "details": []})


def refuse_upload(message: str) -> Refusal:
    return Refusal(500, {"error_message": message, "error_details": message})


class Store:
    """What the server knows; tests look into it."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.version = "2.15.0"
        self.pipelines: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.experiments: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.calls: list[str] = []
        self.workflows: dict[str, dict] = {}  # what Argo's controller has noted of a run
        self.without_workflow: set[str] = set()  # runs whose schedule was deleted, and their workflow with it
        self._now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        self._now += datetime.timedelta(seconds=1)
        return self._now

    def health(self, **_: Any) -> Any:
        return api.V2beta1GetHealthzResponse(multi_user=False)

    def health_in_full(self, **_: Any) -> Any:
        return {"commit_sha": "8fe8d7bd", "tag_name": self.version, "multi_user": False}

    def upload(self, query: dict, file: str, **_: Any) -> Any:
        spec = check_package(file, query["name"])
        if any(pipeline.display_name == query["name"] for pipeline in self.pipelines.values()):
            raise refuse_upload(f"Failed to create a new pipeline. The name {query['name']} already exist.")
        pipeline = api.V2beta1Pipeline(pipeline_id=new_id(), display_name=query["name"], created_at=self.now())
        self.pipelines[pipeline.pipeline_id] = pipeline
        self._add_version(pipeline.pipeline_id, query["name"], spec)
        return pipeline

    def upload_version(self, query: dict, file: str, **_: Any) -> Any:
        spec = check_package(file, query["name"])
        if any(version.display_name == query["name"] for version in self.versions.values()):
            raise refuse_upload(f"Failed to create a new version. The name {query['name']} already exist.")
        return self._add_version(query["pipelineid"], query["name"], spec)

    def _add_version(self, pipeline_id: str, name: str, spec: dict) -> Any:
        version = api.V2beta1PipelineVersion(
            pipeline_id=pipeline_id, pipeline_version_id=new_id(), display_name=name, created_at=self.now(),
            pipeline_spec=spec,
        )  # fmt: skip
        self.versions[version.pipeline_version_id] = version
        return version

    def list_pipelines(self, query: dict, **_: Any) -> Any:
        found, token = page(named(self.pipelines, query), query)
        return api.V2beta1ListPipelinesResponse(pipelines=found, next_page_token=token)

    def list_versions(self, query: dict, key: str, **_: Any) -> Any:
        found = [version for version in self.versions.values() if version.pipeline_id == key]
        found, token = page(found, query)
        return api.V2beta1ListPipelineVersionsResponse(pipeline_versions=found, next_page_token=token)

    def delete_version(self, second: str, **_: Any) -> Any:
        del self.versions[second]

    def delete_pipeline(self, key: str, **_: Any) -> Any:
        if any(version.pipeline_id == key for version in self.versions.values()):
            raise refuse(400, "Failed to delete pipeline as it has existing pipeline versions")
        del self.pipelines[key]

    def list_experiments(self, query: dict, **_: Any) -> Any:
        return api.V2beta1ListExperimentsResponse(experiments=named(self.experiments, query))

    def create_experiment(self, body: dict, **_: Any) -> Any:
        experiment = check(body, api.V2beta1Experiment)
        experiment.experiment_id, experiment.created_at = new_id(), self.now()
        self.experiments[experiment.experiment_id] = experiment
        return experiment

    def create_run(self, body: dict, **_: Any) -> Any:
        run = check(body, api.V2beta1Run)
        self._check_reference(run.pipeline_version_reference)
        check_workflow(self.versions[run.pipeline_version_reference.pipeline_version_id].pipeline_spec)
        run.run_id, run.state, run.created_at = new_id(), "PENDING", self.now()
        self.runs[run.run_id] = run
        return run

    def list_runs(self, query: dict, **_: Any) -> Any:
        found = [run for run in self.runs.values() if run.experiment_id == query.get("experiment_id")]
        found, token = page(found, query)
        return api.V2beta1ListRunsResponse(runs=found, next_page_token=token)

    def get_run(self, key: str, **_: Any) -> Any:
        return known(self.runs, key, "Run")

    def get_workflow(self, key: str, **_: Any) -> Any:
        known(self.runs, key, "Run")
        return {"id": key, "pipeline_runtime": {"workflow_manifest": json.dumps(self.workflows.get(key, {}))}}

    def terminate(self, key: str, **_: Any) -> Any:
        known(self.runs, key, "Run").state = "CANCELING"
        if key in self.without_workflow:
            text = f'workflows.argoproj.io "quickstart-{key}" not found'
            raise refuse(
                500, f"Failed to terminate a run: InternalServerError: Failed to terminate a run {key}: {text}"
            )

    def delete_run(self, key: str, **_: Any) -> Any:
        known(self.runs, key, "Run")
        del self.runs[key]

    def create_schedule(self, body: dict, **_: Any) -> Any:
        schedule = check(body, api.V2beta1RecurringRun)
        self._check_reference(schedule.pipeline_version_reference)
        check_cron(schedule.trigger.cron_schedule.cron)
        if not 1 <= int(schedule.max_concurrency) <= 10:
            raise refuse(400, "The max concurrency of the job is out of range. Support 1-10")
        schedule.recurring_run_id, schedule.created_at = new_id(), self.now()
        schedule.status = "ENABLED" if schedule.mode == "ENABLE" else "DISABLED"
        self.schedules[schedule.recurring_run_id] = schedule
        return schedule

    def list_schedules(self, query: dict, **_: Any) -> Any:
        found = [one for one in self.schedules.values() if one.experiment_id == query.get("experiment_id")]
        found, token = page(found, query)
        return api.V2beta1ListRecurringRunsResponse(recurring_runs=found, next_page_token=token)

    def delete_schedule(self, key: str, **_: Any) -> Any:
        known(self.schedules, key, "Job")
        del self.schedules[key]
        self.without_workflow |= {run.run_id for run in self.runs.values() if run.recurring_run_id == key}

    def disable_schedule(self, key: str, **_: Any) -> Any:
        known(self.schedules, key, "Job").status = "DISABLED"

    def fire(self, key: str) -> str:
        """What the scheduled-workflow controller does when the time has come."""
        schedule = self.schedules[key]
        run = api.V2beta1Run(
            run_id=new_id(), display_name=schedule.display_name, experiment_id=schedule.experiment_id, state="RUNNING",
            recurring_run_id=key, created_at=self.now(),
        )  # fmt: skip
        self.runs[run.run_id] = run
        return run.run_id

    def _check_reference(self, reference: Any) -> None:
        if reference.pipeline_version_id is None:  # the newest
            known(self.pipelines, reference.pipeline_id, "Pipeline")
            return
        version = known(self.versions, reference.pipeline_version_id, "PipelineVersion")
        if version.pipeline_id != reference.pipeline_id:
            raise refuse(400, "the version is not one of the pipeline's")


def check(body: dict, model: type) -> Any:
    """The body as a model; a field that the model does not have is refused, as by the server's JSON parser."""
    extra = set(body) - set(model.attribute_map.values())
    if extra:
        raise refuse(400, f'unknown field "{extra.pop()}"')

    class Answer:
        data = json.dumps(body)

    return api.ApiClient().deserialize(Answer, model.__name__)


def check_package(text: str, name: str) -> dict:
    """What NewV2SpecTemplate asks of a package; the specs as the API gives them back."""
    documents = list(yaml.safe_load_all(text))
    spec = documents[0]
    if spec.get("schemaVersion") != "2.1.0":
        raise refuse_upload("KFP only supports schema version 2.1.0")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", spec["pipelineInfo"]["name"]) or not name:
        raise refuse_upload("invalid v2 pipeline spec: name should consist of lower case alphanumeric characters")
    return {"pipeline_spec": spec, "platform_spec": documents[1]} if len(documents) > 1 else spec


def check_workflow(spec: dict) -> None:
    """Argo's check of the tasks that KFP makes; only here, for KFP compiles when a run is created."""
    tasks = (spec.get("pipeline_spec") or spec)["root"].get("dag", {}).get("tasks", {})
    for name in tasks:
        if f"{name}-driver" in tasks:
            raise refuse(
                500,
                "Failed to create a new run: InternalServerError: Failed to validate workflow for (): "
                f"templates.entrypoint.tasks.root templates.root sorting failed: duplicated nodeName {name}-driver",
            )


def check_cron(cron: str) -> None:
    """robfig/cron v1.2.0's check."""
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise refuse(400, CRON_REFUSED.format(f"Expected 5 to 6 fields, found {len(fields)}: {cron}"))
    for field, limit in zip(fields, CRON_LIMITS, strict=False):
        if any(int(number) > limit for number in re.findall(r"\d+", field)):
            raise refuse(400, CRON_REFUSED.format(f"End of range ({field}) above maximum ({limit}): {field}"))


def named(store: dict[str, Any], query: dict) -> list[Any]:
    predicates = json.loads(query["filter"])["predicates"] if query.get("filter") else []
    return [one for one in store.values() if all(one.display_name == wanted["stringValue"] for wanted in predicates)]


def page(found: list[Any], query: dict) -> tuple[list[Any], str | None]:
    found = sorted(found, key=lambda one: one.created_at, reverse=query.get("sort_by") == "created_at desc")
    start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 10)
    return found[start : start + size], str(start + size) if start + size < len(found) else None


def known(store: dict[str, Any], key: str, kind: str) -> Any:
    if key not in store:
        raise refuse(404, f"{kind} {key} not found")
    return store[key]


def new_id() -> str:
    return str(uuid.uuid4())
