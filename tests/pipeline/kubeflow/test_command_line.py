"""The stock `tfx` command line with `--engine kubeflow`, against the contract server."""

import json
import shlex

import pytest
import yaml

from pipeline.config.load import DEFAULT_PATH
from tests.e2e.user_project import BIN, PROJECT, run_command
from tests.pipeline.kubeflow.conftest import CLUSTER
from tests.pipeline.kubeflow.contract_server import ContractServer
from tests.pipeline.kubeflow.test_run_list import REFUSAL
from tests.pipeline.kubeflow.test_troubles import node, workflow

pytestmark = pytest.mark.tfx

RUNNER = str(PROJECT / "pipeline" / "kubeflow_runner.py")


@pytest.fixture(scope="module")
def server():
    with ContractServer() as server:
        yield server


@pytest.fixture
def tfx(server, monkeypatch, tmp_path):
    """Types a command in this process, which has loaded TFX already."""
    from click.testing import CliRunner
    from tfx.tools.cli.cli_main import cli_group

    monkeypatch.setenv("EFFNET_SET", shlex.join(CLUSTER))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*command: str, endpoint: str = server.url, code: int = 0, engine: str = "kubeflow") -> str:
        arguments = [*command, "--engine", engine, *(["--endpoint", endpoint] if endpoint else [])]
        result = CliRunner().invoke(cli_group, arguments)
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_from_create_to_delete(tfx, server):
    assert 'Pipeline "quickstart" created successfully' in tfx("pipeline", "create", "--pipeline_path", RUNNER)
    assert "quickstart" in tfx("pipeline", "list")
    taken = tfx("pipeline", "create", "--pipeline_path", RUNNER, code=1)
    assert taken.splitlines()[-1].startswith("Error: a pipeline called quickstart is there already")
    assert "updated successfully" in tfx("pipeline", "update", "--pipeline_path", RUNNER)
    assert len(server.store.versions) == 2

    named = ("--pipeline_name", "quickstart")
    tfx("run", "create", *named)
    (run,) = server.store.runs.values()
    assert run.runtime_config.pipeline_root == "minio://mlpipeline/v2"
    one = ("--run_id", run.run_id)
    assert run.run_id in tfx("run", "list", *named)
    assert "PENDING" in tfx("run", "status", *named, *one)
    server.store.workflows[run.run_id] = workflow(node("root.Outcome.executor", "Failed", REFUSAL))
    run.state = "FAILED"
    status = tfx("run", "status", *named, *one)
    assert "REFUSED" in status and "Outcome refused: accuracy is 0.6353, below 0.99" in status
    tfx("run", "terminate", *one)
    server.store.workflows.clear()
    assert "CANCELING" in tfx("run", "status", *named, *one)
    tfx("run", "delete", *one)
    assert "No runs found" in tfx("run", "list", *named)
    tfx("pipeline", "delete", *named)
    assert "No pipelines" in tfx("pipeline", "list")


def test_compile_needs_no_cluster(tfx, tmp_path):
    assert str(tmp_path / "quickstart.yaml") in tfx("pipeline", "compile", "--pipeline_path", RUNNER, endpoint="")
    spec = next(yaml.safe_load_all((tmp_path / "quickstart.yaml").read_text()))
    assert spec["schemaVersion"] == "2.1.0"


def test_errors_are_one_line(tfx, monkeypatch):
    wrong = tfx("pipeline", "list", endpoint="http://127.0.0.1:9", code=1)
    assert wrong.splitlines()[-1].startswith("Error: nobody answers at http://127.0.0.1:9")
    monkeypatch.setenv("EFFNET_SET", "push.path=null")
    refused = tfx("pipeline", "compile", "--pipeline_path", RUNNER, endpoint="", code=1)
    assert refused.splitlines()[-1].startswith("Error: push.path: is required on Kubeflow")


def test_the_command_as_it_is_typed_from_another_folder_without_activating_anything(server, tmp_path):
    listing = ["pipeline", "list", "--engine", "kubeflow", "--endpoint", server.url]
    done = run_command([str(BIN / "tfx"), *listing], cwd=tmp_path, PATH="/usr/bin:/bin", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "No pipelines" in done.stdout


def test_schedules_from_the_command_line(server, tmp_path, tfx):
    tfx("pipeline", "create", "--pipeline_path", RUNNER)
    endpoint = (
        "--engine",
        "kubeflow",
        "--config",
        str(DEFAULT_PATH),
        "--set",
        f"runners.kubeflow.endpoint={server.url}",
    )

    def effnet(*command: str) -> str:
        done = run_command([str(BIN / "effnet"), "schedule", *command, *endpoint], cwd=tmp_path, HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "runs at '0 2 * * *' (Asia/Tokyo) from now on, which Kubeflow notes as '0 0 17 * * *' (UTC)" in effnet(
        "create", "--cron", "0 2 * * *", "--timezone", "Asia/Tokyo"
    )
    assert "0 0 17 * * *" in effnet("list")
    assert "1 schedule of quickstart deleted" in effnet("delete")
    assert not server.store.schedules


def test_vertex_ai_takes_the_same_file(tfx, tmp_path, monkeypatch):
    on_gs = ["data.path=gs://b/digits", "push.path=gs://b/served", "runners.kubeflow.pipeline_root=gs://b/root"]
    monkeypatch.setenv("EFFNET_SET", shlex.join(on_gs))
    monkeypatch.setenv("VERTEX_HOME", str(tmp_path / "vertex"))
    tfx("pipeline", "create", "--pipeline_path", RUNNER, engine="vertex", endpoint="")
    job = json.loads((tmp_path / "vertex" / "quickstart" / "pipeline.json").read_text())
    assert job["pipelineSpec"]["schemaVersion"] == "2.1.0"
    assert "ImageExampleGen-resolver" in job["pipelineSpec"]["root"]["dag"]["tasks"]
