"""Kubeflow Pipelines' REST API as kfp_server_api's models record it, over memory: a test tool.

Every body that comes in must have the fields of its model, and no others; every answer is made from a model. Beyond the
models the server keeps the rules of backend/src/apiserver that the command line meets: server/pipeline_upload_server.go
(answers 500 with error_message where a name is taken), template/v2_template.go (what a pipeline's YAML must be),
resource/resource_manager.go (a pipeline with versions is not deleted; a cron expression has six fields).
"""

import datetime
import json
import re
import threading
import uuid
from collections.abc import Callable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api
import yaml

PREFIX = "/apis/v2beta1"
CRON = re.compile(r"(TZ=\S+ )?\S+( \S+){5}")


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
        self.pipelines: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.experiments: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.calls: list[str] = []
        self._now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        self._now += datetime.timedelta(seconds=1)
        return self._now

    def health(self, **_: Any) -> Any:
        return api.V2beta1GetHealthzResponse(multi_user=False)

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
        run.run_id, run.state, run.created_at = new_id(), "PENDING", self.now()
        self.runs[run.run_id] = run
        return run

    def list_runs(self, query: dict, **_: Any) -> Any:
        found = [run for run in self.runs.values() if run.experiment_id == query.get("experiment_id")]
        found, token = page(found, query)
        return api.V2beta1ListRunsResponse(runs=found, next_page_token=token)

    def get_run(self, key: str, **_: Any) -> Any:
        return known(self.runs, key, "Run")

    def terminate(self, key: str, **_: Any) -> Any:
        known(self.runs, key, "Run").state = "CANCELING"

    def delete_run(self, key: str, **_: Any) -> Any:
        known(self.runs, key, "Run")
        del self.runs[key]

    def create_schedule(self, body: dict, **_: Any) -> Any:
        schedule = check(body, api.V2beta1RecurringRun)
        self._check_reference(schedule.pipeline_version_reference)
        if not CRON.fullmatch(schedule.trigger.cron_schedule.cron):
            raise refuse(400, "The Job has an invalid cron: expected 6 fields")
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

    def _check_reference(self, reference: Any) -> None:
        version = known(self.versions, reference.pipeline_version_id, "PipelineVersion")
        if version.pipeline_id != reference.pipeline_id:
            raise refuse(400, "the version is not one of the pipeline's")


ROUTES: list[tuple[str, str, Callable]] = [
    ("GET", "/healthz", Store.health),
    ("POST", "/pipelines/upload", Store.upload),
    ("POST", "/pipelines/upload_version", Store.upload_version),
    ("GET", "/pipelines", Store.list_pipelines),
    ("GET", "/pipelines/(?P<key>[^/]+)/versions", Store.list_versions),
    ("DELETE", "/pipelines/(?P<key>[^/]+)/versions/(?P<second>[^/]+)", Store.delete_version),
    ("DELETE", "/pipelines/(?P<key>[^/]+)", Store.delete_pipeline),
    ("GET", "/experiments", Store.list_experiments),
    ("POST", "/experiments", Store.create_experiment),
    ("GET", "/runs", Store.list_runs),
    ("POST", "/runs", Store.create_run),
    ("GET", "/runs/(?P<key>[^/:]+)", Store.get_run),
    ("POST", "/runs/(?P<key>[^/:]+):terminate", Store.terminate),
    ("DELETE", "/runs/(?P<key>[^/:]+)", Store.delete_run),
    ("GET", "/recurringruns", Store.list_schedules),
    ("POST", "/recurringruns", Store.create_schedule),
    ("DELETE", "/recurringruns/(?P<key>[^/:]+)", Store.delete_schedule),
]


class ContractServer(ThreadingHTTPServer):
    """The server at `url`, in a thread of its own from `with` on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "ContractServer":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ContractServer

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        store, address = self.server.store, urlsplit(self.path)
        store.calls.append(f"{self.command} {address.path.removeprefix(PREFIX)}")
        try:
            if store.token and self.headers.get("Authorization") != f"Bearer {store.token}":
                raise refuse(401, "Request header error: token has expired")
            status, body = 200, self._result(store, address.path, address.query, content)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        answer = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _result(self, store: Store, path: str, query: str, content: bytes) -> Any:
        for method, pattern, function in ROUTES:
            match = re.fullmatch(PREFIX + pattern, path)
            if match and method == self.command:
                arguments: dict[str, Any] = {"query": {key: value[0] for key, value in parse_qs(query).items()}}
                kind = self.headers.get("Content-Type", "")
                if kind.startswith("multipart/"):
                    arguments["file"] = uploaded(kind, content)
                elif content:
                    arguments["body"] = json.loads(content)
                result = function(store, **arguments, **match.groupdict())
                return api.ApiClient().sanitize_for_serialization(result) if result is not None else {}
        raise refuse(404, "Not Found")

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


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


def uploaded(content_type: str, content: bytes) -> str:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    (part,) = message.get_payload()
    return part.get_payload(decode=True).decode()


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
