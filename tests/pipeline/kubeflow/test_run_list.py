"""`effnet runs --engine kubeflow`, against the contract server."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import DEFAULT_PATH
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import TOKEN_VARIABLE, connect
from tests.pipeline.kubeflow.contract_server import ContractServer
from tests.pipeline.kubeflow.test_client import package as package
from tests.pipeline.kubeflow.test_troubles import node, workflow

REFUSAL = "main: Error (exit code 1): gate refused: accuracy is 0.6353, below 0.99"


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with ContractServer() as server:
        yield server


def effnet_runs(server, *arguments: str) -> str:
    chosen = (
        "--config",
        str(DEFAULT_PATH),
        "--set",
        "name=flowers",
        "--set",
        f"runners.kubeflow.endpoint={server.url}",
    )
    done = CliRunner().invoke(app, ["runs", "--engine", "kubeflow", *chosen, *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_refused_failed_waiting_and_pushed_are_told_apart(server, package):
    kubeflow = KubeflowClient(connect(server.url))
    kubeflow.create("flowers", package)
    assert "No runs of flowers on Kubeflow" in effnet_runs(server)
    runs = [kubeflow.start("flowers", {}).run_id for _ in range(4)]
    ends = {
        "SUCCEEDED": workflow(),
        "FAILED": workflow(node("root.Trainer.executor", "Failed", "main: OOMKilled (exit code 1)")),
        "RUNNING": workflow(
            node("root.Trainer.executor", "Pending", 'CreateContainerConfigError: secret "s" not found')
        ),
    }
    for run, (state, seen) in zip(runs, ends.items(), strict=False):
        server.store.runs[run].state, server.store.workflows[run] = state, seen
        server.store.runs[run].finished_at = server.store.runs[run].created_at + timedelta(minutes=7)
    server.store.runs[runs[3]].state = "FAILED"
    server.store.workflows[runs[3]] = workflow(node("root.Outcome.executor", "Failed", REFUSAL))

    lines = json.loads(effnet_runs(server, "--json"))
    assert [line["run"] for line in lines] == runs[::-1]
    assert [line["result"] for line in lines] == ["refused", "running", "failed", "succeeded"]
    assert [line["seconds"] for line in lines] == [None, None, 420, 420]
    assert lines[0]["why"] == "Outcome refused: accuracy is 0.6353, below 0.99"
    assert "create the secret" in lines[1]["why"] and "out of memory" in lines[2]["why"]
    assert lines[3]["why"] == ""
    assert f"GET /apis/v1beta1/runs/{runs[0]}" not in server.store.calls  # what went well needs no second look

    table = effnet_runs(server, "--last", "1")
    assert "refused: Outcome refused" in " ".join(table.split())
    assert runs[0][:8] not in table
