"""Every call to Kubeflow Pipelines, against a server that keeps the recorded contract."""

import pytest
import yaml

from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import TOKEN_VARIABLE, connect
from pipeline.kubeflow.errors import KubeflowError
from pipeline.schedule.kubeflow_cron import backend_cron
from tests.pipeline.kubeflow.contract_server import ContractServer

PARAMETERS = {"epochs": {"parameterType": "NUMBER_INTEGER"}, "note": {"parameterType": "STRING"}}


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # kfp.Client keeps settings there
    with ContractServer() as server:
        yield server


@pytest.fixture
def kubeflow(server) -> KubeflowClient:
    return KubeflowClient(connect(server.url))


@pytest.fixture
def package(tmp_path):
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "flowers"},
        "defaultPipelineRoot": "minio://mlpipeline/v2",
        "root": {"inputDefinitions": {"parameters": PARAMETERS}},
    }
    path = tmp_path / "flowers.yaml"
    path.write_text(yaml.safe_dump_all([spec, {"platforms": {"kubernetes": {}}}]))
    return path


def test_a_pipeline_from_upload_to_deletion(kubeflow, server, package):
    kubeflow.create("flowers", package)
    kubeflow.update("flowers", package)
    assert len(server.store.versions) == 2
    assert [pipeline.display_name for pipeline in kubeflow.pipelines()] == ["flowers"]

    run = kubeflow.start("flowers", {"epochs": "3", "note": "4"})
    sent = server.store.runs[run.run_id]
    assert sent.runtime_config.parameters == {"epochs": 3, "note": "4"}
    assert sent.runtime_config.pipeline_root == "minio://mlpipeline/v2"
    newest = list(server.store.versions)[-1]
    assert sent.pipeline_version_reference.pipeline_version_id == newest
    assert [one.run_id for one in kubeflow.runs("flowers")] == [run.run_id]
    assert kubeflow.run(run.run_id).state == "PENDING"
    kubeflow.terminate(run.run_id)
    assert kubeflow.run(run.run_id).state == "CANCELING"
    kubeflow.delete_run(run.run_id)
    assert kubeflow.runs("flowers") == []

    kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC"))
    kubeflow.delete("flowers")
    assert not (server.store.pipelines or server.store.versions or server.store.schedules)


def test_lists_are_read_to_their_last_page(kubeflow, package, monkeypatch):
    monkeypatch.setattr("pipeline.kubeflow.lists.PAGE", 2)
    for number in range(5):
        kubeflow.create(f"flowers{number}", package)
    assert len(kubeflow.pipelines()) == 5


def test_a_schedule_follows_the_pipeline_to_its_next_version(kubeflow, server, package):
    kubeflow.create("flowers", package)
    first = kubeflow.schedule("flowers", backend_cron("30 2 * * 1", "UTC"))
    run = server.store.fire(first.recurring_run_id)
    kubeflow.update("flowers", package)
    (after,) = kubeflow.schedules("flowers")
    assert after == first
    assert after.pipeline_version_reference.pipeline_version_id is None  # KFP 2.15 runs the newest
    assert after.trigger.cron_schedule.cron == "0 30 2 * * 1"
    assert (int(after.max_concurrency), after.no_catchup, after.status) == (1, True, "ENABLED")
    assert after.runtime_config.pipeline_root == "minio://mlpipeline/v2"
    assert run not in server.store.without_workflow


def pin(server, schedule) -> None:
    """As earlier releases made a schedule."""
    reference = server.store.schedules[schedule.recurring_run_id].pipeline_version_reference
    reference.pipeline_version_id = next(iter(server.store.versions))


def test_a_schedule_of_an_earlier_release_is_freed_from_its_version_and_its_run_goes_on(kubeflow, server, package):
    kubeflow.create("flowers", package)
    old = kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC"))
    pin(server, old)
    run = server.store.fire(old.recurring_run_id)
    for version in ("v1", "v2"):  # the second time nothing is left to do
        kubeflow.update("flowers", package, version)
        new, left = kubeflow.schedules("flowers")
        assert (new.status, new.pipeline_version_reference.pipeline_version_id) == ("ENABLED", None)
        assert (left.status, left.recurring_run_id) == ("DISABLED", old.recurring_run_id)
    server.store.runs[run].state = "SUCCEEDED"
    kubeflow.update("flowers", package, "v3")
    assert [one.recurring_run_id for one in kubeflow.schedules("flowers")] == [new.recurring_run_id]


def test_a_paused_schedule_stays_paused(kubeflow, server, package):
    kubeflow.create("flowers", package)
    pin(server, kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC")))
    next(iter(server.store.schedules.values())).status = "DISABLED"
    kubeflow.update("flowers", package)
    assert [schedule.status for schedule in kubeflow.schedules("flowers")] == ["DISABLED"]


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "PAUSED", "CANCELING"])
def test_a_schedule_that_ends_leaves_its_run_under_way_alone(kubeflow, server, package, state):
    kubeflow.create("flowers", package)
    schedule = kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC")).recurring_run_id
    run = server.store.fire(schedule)
    server.store.runs[run].state = state
    assert kubeflow.end_schedules("flowers") == (0, {schedule: [run]})
    assert server.store.schedules[schedule].status == "DISABLED"
    assert run not in server.store.without_workflow

    with pytest.raises(KubeflowError) as error:
        kubeflow.delete("flowers")
    assert run in one_line(error)
    assert server.store.pipelines

    kubeflow.schedule("flowers", backend_cron("0 3 * * *", "UTC"))  # one that is paused is in nobody's way
    server.store.runs[run].state = "SUCCEEDED"
    assert kubeflow.end_schedules("flowers") == (2, {})


def test_a_run_whose_workflow_is_gone_cannot_be_stopped_but_deleted(kubeflow, server, package):
    """KFP 2.15.0 answered 500 `workflows.argoproj.io "quickstart-..." not found`, and then said CANCELING."""
    kubeflow.create("flowers", package)
    schedule = kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC")).recurring_run_id
    run = server.store.fire(schedule)
    kubeflow._client.delete_recurring_run(schedule)  # as somebody does on KFP's page
    with pytest.raises(KubeflowError, match=r"has no workflow any more.*`tfx run delete` clears its record"):
        kubeflow.terminate(run)
    kubeflow.delete_run(run)
    assert kubeflow.runs("flowers") == []


def test_a_second_schedule_of_a_pipeline_is_refused(kubeflow, package):
    kubeflow.create("flowers", package)
    kubeflow.schedule("flowers", backend_cron("0 2 * * *", "UTC"))
    with pytest.raises(KubeflowError, match="has a schedule already"):
        kubeflow.schedule("flowers", backend_cron("0 3 * * *", "UTC"))


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("TZ=UTC 0 0 2 * * *", "Expected 5 to 6 fields, found 7: TZ=UTC 0 0 2 * * *"),
        ("0 0 2 * * 7", "End of range (7) above maximum (6): 7"),
    ],
)
def test_what_the_backend_said_of_a_cron_expression_is_passed_on(kubeflow, package, cron, said):
    kubeflow.create("flowers", package)
    with pytest.raises(KubeflowError) as error:
        kubeflow.schedule("flowers", cron)
    assert "answered 400: Failed to create a recurring run due to conversion error: Invalid input error: " in one_line(
        error
    )
    assert said in one_line(error)


def test_what_argo_said_of_two_tasks_of_one_name_is_passed_on(kubeflow, server, package):
    """KFP 2.15.0 took the upload, and refused the run."""
    kubeflow.create("flowers", package)
    (version,) = server.store.versions.values()
    version.pipeline_spec["pipeline_spec"]["root"]["dag"] = {"tasks": {"DataGate": {}, "DataGate-driver": {}}}
    with pytest.raises(
        KubeflowError,
        match=r"answered 500: Failed to create a new run: .*sorting failed: duplicated nodeName DataGate-driver",
    ):
        kubeflow.start("flowers", {})


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_taken_name(kubeflow, server, package, monkeypatch):
    kubeflow.create("flowers", package)
    with pytest.raises(KubeflowError) as error:
        kubeflow.create("flowers", package)
    assert one_line(error) == "a pipeline called flowers is there already; `tfx pipeline update` gives it a new version"
    # And where somebody else is faster, between the question and the upload.
    monkeypatch.setattr(kubeflow._client, "get_pipeline_id", lambda name: None)
    with pytest.raises(KubeflowError, match="is there already; `tfx pipeline update`"):
        kubeflow.create("flowers", package)


def test_a_taken_version(kubeflow, package):
    kubeflow.create("flowers", package)
    kubeflow.update("flowers", package, version="flowers-1")
    with pytest.raises(KubeflowError) as error:
        kubeflow.update("flowers", package, version="flowers-1")
    assert "a version called flowers-1 of flowers is there already" in one_line(error)


def test_a_name_that_nobody_knows(kubeflow, package):
    kubeflow.create("flowers", package)
    with pytest.raises(KubeflowError) as error:
        kubeflow.start("flower", {})
    assert "no pipeline is called flower" in one_line(error)
    assert "known: flowers" in one_line(error)


def test_a_run_that_is_not_there(kubeflow, server):
    with pytest.raises(KubeflowError) as error:
        kubeflow.run("nobody")
    assert one_line(error) == f"{server.url} answered 404: Run nobody not found"


@pytest.mark.parametrize(
    ("given", "said"), [({"epoch": "3"}, "no parameter epoch"), ({"epochs": "x"}, "expected number")]
)
def test_a_parameter_that_the_pipeline_does_not_take(kubeflow, package, given, said):
    kubeflow.create("flowers", package)
    with pytest.raises(KubeflowError, match=said):
        kubeflow.start("flowers", given)


def test_what_the_api_server_would_refuse_is_told_in_its_words(kubeflow, tmp_path):
    old = tmp_path / "old.yaml"
    old.write_text(yaml.safe_dump({"schemaVersion": "2.0.0", "pipelineInfo": {"name": "old"}}))
    with pytest.raises(KubeflowError) as error:
        kubeflow.create("old", old)
    assert "KFP only supports schema version 2.1.0" in one_line(error)


def test_an_expired_token_at_the_start_and_later(server, package, monkeypatch):
    server.store.token = "new"
    monkeypatch.setenv(TOKEN_VARIABLE, "old")
    with pytest.raises(KubeflowError) as error:
        connect(server.url)
    assert (
        one_line(error) == f"{server.url} refused the token (401); renew the token in {TOKEN_VARIABLE}, or log in again"
    )
    assert "old" not in one_line(error).split()

    monkeypatch.setenv(TOKEN_VARIABLE, "new")
    kubeflow = KubeflowClient(connect(server.url))
    kubeflow.create("flowers", package)
    server.store.token = "newer"
    with pytest.raises(KubeflowError) as error:
        kubeflow.start("flowers", {})
    assert "token has expired; renew the token" in one_line(error)


def test_an_endpoint_where_nobody_is(monkeypatch):
    with pytest.raises(KubeflowError) as error:
        connect("http://127.0.0.1:9")
    assert "nobody answers at http://127.0.0.1:9" in one_line(error)
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    with pytest.raises(KubeflowError, match="no endpoint of Kubeflow Pipelines: name it with --endpoint"):
        connect(None)


def test_an_endpoint_of_something_else(server):
    with pytest.raises(KubeflowError) as error:
        connect(f"{server.url}/elsewhere")
    assert "is not Kubeflow Pipelines 2: got 404" in one_line(error)
