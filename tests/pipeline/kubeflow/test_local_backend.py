"""The stand-in does what KFP 2.15.0 with Argo 3.7.3 was seen to do; the texts are theirs."""

from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow.ir import RETRY_WITHIN_SECONDS
from tests.pipeline.kubeflow.local_backend import LocalBackend, Task

COUNT = "echo attempt >>{log}; test $(wc -l <{log}) -ge {good}"


def run(folder: Path, tasks: dict[str, dict], command: str) -> dict[str, Task]:
    container = {"command": ["sh", "-c", command], "args": []}
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "p"},
        "root": {"dag": {"tasks": tasks}},
        "components": {name: {"executorLabel": "e"} for name in tasks},
        "deploymentSpec": {"executors": {"e": {"container": container}}},
    }
    package = folder / "p.yaml"
    package.write_text(yaml.safe_dump(spec))
    return LocalBackend(folder / "bucket", folder / "container", folder).run(package, "minio://b")


@pytest.mark.parametrize(
    ("policy", "attempts", "state", "said"),
    [
        (None, 1, "FAILED with 1", ""),
        ({"maxRetryCount": 2}, 1, "FAILED with 1", "Max duration limit exceeded"),
        ({"maxRetryCount": 2, "backoffMaxDuration": f"{RETRY_WITHIN_SECONDS}s"}, 3, "COMPLETE", ""),
        ({"maxRetryCount": 1, "backoffMaxDuration": "60s"}, 2, "FAILED with 1", "No more retries left"),
    ],
)
def test_a_step_is_retried_as_argo_does(tmp_path, policy, attempts, state, said):
    log = tmp_path / "log"
    task = {"retryPolicy": policy} if policy else {}
    done = run(tmp_path, {"Trainer": task}, COUNT.format(log=log, good=3))["Trainer"]
    assert (done.state, len(log.read_text().splitlines())) == (state, attempts)
    assert done.log.endswith(said)


def test_two_tasks_of_one_name_are_refused(tmp_path):
    with pytest.raises(AssertionError, match="sorting failed: duplicated nodeName DataGate-driver"):
        run(tmp_path, {"DataGate": {}, "DataGate-driver": {}}, "true")
