"""Why a run failed or waits; the messages of nodes are those that Argo 3.7.3 wrote on Kubernetes 1.34."""

import pytest

from components.common.errors import DataError, GateError
from pipeline.exit_codes import exit_code_of
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.entrypoint import note_reason
from pipeline.kubeflow.troubles import Kind, Trouble, state_of, troubles_of
from tests.pipeline.kubeflow.contract_server import ContractServer

RUN = "quickstart-x7k2p"


def node(task: str, phase: str, message: str | None = None, kind: str = "Pod", finished: str = "") -> dict:
    return {"name": f"{RUN}.{task}", "type": kind, "phase": phase, "message": message, "finishedAt": finished}


def workflow(*nodes: dict, **status: str) -> dict:
    return {"status": {"nodes": {str(number): one for number, one in enumerate(nodes)}, **status}}


@pytest.mark.parametrize(
    ("phase", "message", "kind", "said"),
    [
        ("Failed", "main: Error (exit code 1)", Kind.FAILED, "main: Error (exit code 1)"),
        ("Failed", "main: OOMKilled (exit code 1)", Kind.FAILED, "raise runners.kubeflow.resources.Trainer.memory"),
        (
            "Pending",
            'ImagePullBackOff: Back-off pulling image "registry.example/effnet:2"',
            Kind.WAITING,
            "correct runners.kubeflow.image",
        ),
        (
            "Pending",
            'Unschedulable: 0/1 nodes are available: persistentvolumeclaim "photos" not found. preemption: 0/1 nodes '
            "are available: 1 Preemption is not helpful for scheduling.",
            Kind.WAITING,
            "create the claim, or correct runners.kubeflow.volumes",
        ),
        (
            "Pending",
            'CreateContainerConfigError: secret "store" not found',
            Kind.WAITING,
            "create the secret, or correct runners.kubeflow.secrets",
        ),
        ("Error", "pod deleted", Kind.FAILED, "pod deleted"),
        ("Failed", None, Kind.FAILED, "no reason given; see the pod's log"),
    ],
)
def test_what_kubernetes_says_of_a_pod_comes_with_advice(phase, message, kind, said):
    (trouble,) = troubles_of(workflow(node("root.Trainer.executor", phase, message)))
    assert (trouble.kind, trouble.step) == (kind, "Trainer")
    assert said in trouble.reason
    assert "\n" not in str(trouble)


@pytest.mark.parametrize(
    ("error", "kind", "line"),
    [
        (GateError("accuracy is 0.6353, below 0.99"), Kind.REFUSED, "accuracy is 0.6353, below 0.99"),
        (DataError("3 classes have less than 5 images"), Kind.REFUSED, "3 classes have less than 5 images"),
        (RuntimeError("no such\nfile"), Kind.FAILED, "no such file"),
        (OSError("s3://key:hunter2secret@host/x: gone"), Kind.FAILED, "s3://key:(hidden)@host/x: gone"),
    ],
)
def test_the_line_that_a_step_leaves_tells_refused_from_failed(tmp_path, error, kind, line):
    log = tmp_path / "termination-log"
    log.touch()  # Kubernetes makes it
    note_reason(exit_code_of(error), error, log)
    message = f"main: Error (exit code 1): {log.read_text()}"  # as Argo joins the two
    (trouble,) = troubles_of(workflow(node("root.Outcome.executor", "Failed", message)))
    assert trouble == Trouble(kind, "Outcome", line)
    assert state_of("FAILED", [trouble]) == ("REFUSED" if kind is Kind.REFUSED else "FAILED")


def test_outside_a_pod_nothing_is_written(tmp_path):
    error = RuntimeError("x" * 5000)
    note_reason(exit_code_of(error), error, tmp_path / "termination-log")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "termination-log").touch()
    note_reason(exit_code_of(error), error, tmp_path / "termination-log")
    assert len((tmp_path / "termination-log").read_bytes()) < 4096  # Kubernetes cuts what is longer


def test_an_attempt_that_was_followed_by_another_is_no_failure():
    oom = node("root.Trainer.executor(0)", "Failed", "main: OOMKilled (exit code 1)", finished="2026-01-01T00:00:01Z")
    running = node("root.Trainer.executor(1)", "Running")
    (trouble,) = troubles_of(workflow(oom, running, node("root.Trainer.executor", "Running", kind="Retry")))
    assert trouble.kind is Kind.RETRIED
    assert state_of("RUNNING", [trouble]) == "RUNNING"
    again = node("root.Trainer.executor(1)", "Failed", "main: OOMKilled (exit code 1)", finished="2026-01-01T00:01Z")
    assert [trouble.kind for trouble in troubles_of(workflow(oom, again))] == [Kind.FAILED, Kind.FAILED]


def test_kubeflow_s_own_pods_and_a_workflow_that_never_started_are_named():
    driver = node("root.Trainer-driver", "Failed", "main: Error (exit code 1)")
    assert troubles_of(workflow(driver))[0].step == "Trainer (Kubeflow's driver)"
    assert troubles_of(workflow(node("root-driver", "Failed", "x")))[0].step == "root (Kubeflow's driver)"
    broken = workflow(phase="Error", message="invalid spec:\n no entrypoint")
    assert list(map(str, troubles_of(broken))) == ["failed: invalid spec: no entrypoint"]
    assert troubles_of({}) == troubles_of(workflow(node("root.A.executor", "Succeeded"))) == []


def test_a_failure_beside_a_refusal_is_a_failure():
    refused, failed = Trouble(Kind.REFUSED, "Outcome", "a"), Trouble(Kind.FAILED, "Trainer", "b")
    assert state_of("FAILED", [refused, failed]) == state_of("FAILED", []) == "FAILED"
    assert state_of(None, []) == "None"


def test_the_workflow_comes_from_the_first_version_of_the_api(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with ContractServer() as server:
        kubeflow = KubeflowClient(connect(server.url))
        server.store.runs["r"] = object()
        assert kubeflow.troubles("r") == []
        server.store.workflows["r"] = workflow(node("root.Trainer.executor", "Failed", "main: Error (exit code 1)"))
        assert [trouble.step for trouble in kubeflow.troubles("r")] == ["Trainer"]
        assert kubeflow.troubles("of-a-kubeflow-without-it") == []
