"""Why a run failed, was refused or does not go on, read from the record of its Argo workflow.

KFP's own record says FAILED or RUNNING and nothing else. The workflow's has, for each pod, Argo's message: how the
container ended with the line that entrypoint.py left, or what Kubernetes still waits for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from components.common.json_types import Parsed
from pipeline.exit_codes import ExitCode
from pipeline.kubeflow.checks import KFP_DRIVER_SUFFIX

REFUSALS = tuple(f"{code.meaning}: " for code in (ExitCode.GATE_REFUSED, ExitCode.DATA_REFUSED))
FAILED = f"{ExitCode.FAILED.meaning}: "
# main: Error (exit code 1): gate refused: accuracy is 0.61, below 0.9
CONTAINER = re.compile(r"(?P<container>[\w-]+): (?P<how>\w+) \(exit code (?P<code>\d+)\)(: (?P<line>.*))?", re.DOTALL)
# Part of Argo's or Kubernetes' message -> what to do.
ADVICE = {
    "OOMKilled": "out of memory; raise runners.kubeflow.resources.{step}.memory",
    "ImagePullBackOff": "correct runners.kubeflow.image, or let the cluster log in to its registry",
    "ErrImagePull": "correct runners.kubeflow.image, or let the cluster log in to its registry",
    "ErrImageNeverPull": "the node has no such image; correct runners.kubeflow.image",
    "InvalidImageName": "correct runners.kubeflow.image",
    "persistentvolumeclaim": "create the claim, or correct runners.kubeflow.volumes",
    "secret": "create the secret, or correct runners.kubeflow.secrets",
    "Insufficient": "no node has as much free; lower runners.kubeflow.resources.{step}",
    "didn't match Pod's node": "no node has these labels; correct node_selector of runners.kubeflow.resources.{step}",
    "untolerated taint": "add tolerations to runners.kubeflow.resources.{step}",
    "Evicted": "the node was short of memory or disk; give the step runners.kubeflow.resources.{step}.retries",
}


class Kind(StrEnum):
    """What is the matter with a step."""

    REFUSED = "refused"
    FAILED = "failed"
    RETRIED = "retried"
    WAITING = "waiting"


@dataclass(frozen=True)
class Trouble:
    """What one step's pod met.

    Attributes:
      step: its name; "" if it is the whole run's.
      reason: one line.
    """

    kind: Kind
    step: str
    reason: str

    def __str__(self) -> str:
        return f"{self.step} {self.kind}: {self.reason}" if self.step else f"{self.kind}: {self.reason}"


def troubles_of(workflow: Mapping[str, Parsed]) -> list[Trouble]:
    """What is the matter with a run, in the order in which its steps ended.

    Args:
      workflow: its Argo workflow, as JSON.
    """
    status = workflow.get("status") or {}
    nodes = [node for node in (status.get("nodes") or {}).values() if node.get("type") == "Pod"]
    nodes.sort(key=lambda node: (node.get("finishedAt") or "9", node.get("startedAt") or ""))
    alive = {_step_of(node) for node in nodes if node.get("phase") in ("Pending", "Running", "Succeeded")}
    found = [trouble for node in nodes if (trouble := _trouble_of(node, alive))]
    if not found and status.get("phase") in ("Failed", "Error") and status.get("message"):
        found = [Trouble(Kind.FAILED, "", _one_line(status["message"]))]
    return found


def state_of(state: str | None, troubles: Iterable[Trouble]) -> str:
    """KFP's state of a run, or REFUSED for one that failed since a gate refused its data or its model."""
    ends = {trouble.kind for trouble in troubles if trouble.kind in (Kind.FAILED, Kind.REFUSED)}
    return "REFUSED" if state == "FAILED" and ends == {Kind.REFUSED} else str(state)


def _trouble_of(node: Mapping[str, Parsed], alive: set[str]) -> Trouble | None:
    phase, message, step = node.get("phase"), _one_line(node.get("message") or ""), _step_of(node)
    if phase == "Pending" and message:
        return Trouble(Kind.WAITING, step, _advised(message, step))
    if phase not in ("Failed", "Error"):
        return None
    kind = Kind.RETRIED if step in alive else Kind.FAILED
    match = CONTAINER.match(message)
    line = (match["line"] or "").strip() if match else ""
    for refusal in REFUSALS:
        if line.startswith(refusal):
            return Trouble(Kind.REFUSED, step, line.removeprefix(refusal))
    if line.startswith(FAILED):
        return Trouble(kind, step, line.removeprefix(FAILED))
    if not message:
        return Trouble(kind, step, "no reason given; see the pod's log")
    return Trouble(kind, step, _advised(message, step))


def _step_of(node: Mapping[str, Parsed]) -> str:
    """The step of a pod; of Kubeflow's own pod before it, the step with a word more."""
    # quickstart-x7k2p.root.Trainer.executor(1), quickstart-x7k2p.root.Trainer-driver, quickstart-x7k2p.root-driver
    parts = str(node.get("name", "")).split(".")
    task = parts[2] if len(parts) > 2 else parts[-1]
    if task.endswith(KFP_DRIVER_SUFFIX):
        return f"{task.removesuffix(KFP_DRIVER_SUFFIX)} (Kubeflow's driver)"
    return task


def _advised(message: str, step: str) -> str:
    advice = next((advice for sign, advice in ADVICE.items() if sign in message), "")
    return f"{message}; {advice.format(step=step)}" if advice else message


def _one_line(text: str) -> str:
    return " ".join(text.split())
