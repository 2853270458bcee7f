"""`effnet doctor --kubeflow`: is the cluster ready for this pipeline.yaml? One verdict a line, with what to do."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from components.common.human_format import counted
from components.common.json_types import Parsed
from pipeline.config.kubeflow import KubeflowSettings, Secret, Step
from pipeline.config.model import PipelineConfig
from pipeline.doctor.checks import Finding
from pipeline.kubeflow.checks import check_config
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.errors import KubeflowError

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, StorageV1Api

OLDEST = (2, 5)  # whose schedules follow the newest version
TRIED = "2.15.0"
NAMESPACE = "kubeflow"
INSTALLATION = "pipeline-install-config"  # the ConfigMap
SERVICE_ACCOUNT = "pipeline-runner"  # KFP's own
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
MANY = "ReadWriteMany"


def examine_kubeflow(config: PipelineConfig, namespace: str = NAMESPACE) -> Iterator[Finding]:
    """Yields verdicts on the settings, the endpoint, and what they name in the cluster.

    Args:
      config: of which `runners.kubeflow` counts.
      namespace: in which runs' pods are.
    """
    settings = config.runners.kubeflow
    try:
        check_config(config)
        yield Finding("settings", True, "nothing in them that a container could not use")
    except KubeflowError as error:
        yield Finding("settings", False, str(error))
    yield _version(settings)
    try:
        core, storage = _cluster()
    except Exception as error:  # its loaders raise what they like
        reason = str(error).splitlines()[0]
        yield Finding("cluster", None, f"no access with kubectl's configuration ({reason}); the rest is not looked at")
        return
    yield from examine_cluster(settings, core, storage, namespace)


def examine_cluster(
    settings: KubeflowSettings, core: "CoreV1Api", storage: "StorageV1Api", namespace: str
) -> Iterator[Finding]:
    """Yields verdicts on what the settings name in the cluster."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("time zone", partial(_zone, settings, core, namespace)),
        ("service account", partial(_account, settings, core, namespace)),
        ("image", partial(_image, settings, core)),
        ("storage class", partial(_storage_class, storage)),
    ]
    for volume in settings.volumes:
        checks.append((f"claim {volume.claim}", partial(_claim, volume.claim, core, namespace)))
    for secret in settings.secrets:
        checks.append((f"secret {secret.name}", partial(_secret, secret, core, namespace)))
    for name in settings.resources:
        if (step := settings.step(name)).gpu:
            checks.append((f"GPU of {name}", partial(_gpu, name, step, core)))
    for subject, check in checks:
        yield _asked(subject, check)


def _asked(subject: str, check: Callable[[], Finding]) -> Finding:
    """The finding of a check; what the cluster answers instead of an answer is one as well."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return check()
    except ApiException as error:
        if error.status == 404:
            return Finding(
                subject, False, f"not in the cluster: create it, or correct runners.kubeflow ({error.reason})"
            )
        if error.status in (401, 403):
            return Finding(subject, None, f"you may not look at it ({error.status}); ask who runs the cluster")
        return Finding(subject, None, f"the cluster answered {error.status}: {error.reason}")
    except HTTPError as error:
        return Finding(subject, False, f"the cluster does not answer: {' '.join(str(error).split())}")


def _cluster() -> "tuple[CoreV1Api, StorageV1Api]":
    from kubernetes import client, config

    config.load_config()  # as kubectl does, or in a pod
    return client.CoreV1Api(), client.StorageV1Api()


def _version(settings: KubeflowSettings) -> Finding:
    subject = "Kubeflow Pipelines"
    try:
        version, several_users = KubeflowClient(connect(settings.endpoint)).installation()
    except KubeflowError as error:
        return Finding(subject, False, str(error))
    users = "; several users: name yours with --namespace" if several_users else ""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if not numbers:
        return Finding(subject, None, f"it does not say its version; {TRIED} was tried{users}")
    old = (int(numbers[1]), int(numbers[2])) < OLDEST
    advice = f"install {TRIED}" if old else f"{TRIED} was tried"
    return Finding(subject, not old, f"{version}; {advice}{users}")


def _zone(settings: KubeflowSettings, core: "CoreV1Api", namespace: str) -> Finding:
    data = core.read_namespaced_config_map(INSTALLATION, namespace).data or {}
    zone = data.get("cronScheduleTimezone") or "Local"
    if zone == "Local":
        return Finding("time zone", None, "that of the controller's node: set cronScheduleTimezone to be sure")
    same = zone == settings.cron_timezone
    advice = "" if same else f": set runners.kubeflow.cron_timezone to it, which is {settings.cron_timezone}"
    return Finding("time zone", same, f"schedules count in {zone}{advice}")


def _account(settings: KubeflowSettings, core: "CoreV1Api", namespace: str) -> Finding:
    name = settings.service_account or SERVICE_ACCOUNT
    core.read_namespaced_service_account(name, namespace)
    return Finding("service account", True, name)


def _image(settings: KubeflowSettings, core: "CoreV1Api") -> Finding:
    images = {settings.image, *([settings.gpu_image] if settings.gpu_image else [])}
    # Nodes list the largest 50 of theirs, with the registry that Docker leaves out.
    there = {
        name for node in core.list_node().items for image in node.status.images or [] for name in image.names or []
    }
    missing = sorted(image for image in images if not any(name.endswith(image) for name in there))
    latest = sorted(image for image in images if ":" not in image.rpartition("/")[2] or image.endswith(":latest"))
    if latest:
        return Finding("image", False, f"{', '.join(latest)}: give each build a tag of its own; nodes keep the old one")
    if missing:
        return Finding("image", None, f"{', '.join(missing)}: on no node yet; the first step pulls it")
    return Finding("image", True, ", ".join(sorted(images)))


def _storage_class(storage: "StorageV1Api") -> Finding:
    classes = storage.list_storage_class().items
    default = [one.metadata.name for one in classes if (one.metadata.annotations or {}).get(DEFAULT_CLASS) == "true"]
    if default:
        return Finding("storage class", True, f"{default[0]} (default)")
    names = ", ".join(one.metadata.name for one in classes) or "none"
    return Finding("storage class", None, f"no default among: {names}; a claim has to name one, or a volume")


def _claim(name: str, core: "CoreV1Api", namespace: str) -> Finding:
    claim = core.read_namespaced_persistent_volume_claim(name, namespace)
    modes, phase = claim.spec.access_modes or [], claim.status.phase
    nodes = len(core.list_node().items)
    said = f"{phase}, {', '.join(modes)}"
    if nodes > 1 and MANY not in modes:
        return Finding(f"claim {name}", False, f"{said}: with {nodes} nodes it has to be {MANY}")
    if phase == "Bound":
        return Finding(f"claim {name}", True, said)
    # With volumeBindingMode WaitForFirstConsumer it is bound by the first pod.
    return Finding(
        f"claim {name}", None, f"{said}: `kubectl -n {namespace} describe pvc {name}` says what it waits for"
    )


def _secret(secret: Secret, core: "CoreV1Api", namespace: str) -> Finding:
    keys, subject = core.read_namespaced_secret(secret.name, namespace).data or {}, f"secret {secret.name}"
    if missing := sorted(set(secret.env) - set(keys)):
        return Finding(subject, False, f"has no key {', '.join(missing)}; it has {', '.join(sorted(keys))}")
    return Finding(subject, True, f"has {', '.join(sorted(secret.env))}")


def _gpu(name: str, step: Step, core: "CoreV1Api") -> Finding:
    kind, wanted = step.gpu_type or "nvidia.com/gpu", step.node_selector or {}
    fitting = [node for node in core.list_node().items if wanted.items() <= (node.metadata.labels or {}).items()]
    most = max((_count(node.status.allocatable or {}, kind) for node in fitting), default=0)
    said = f"{step.gpu} of {kind} wanted, at most {most} on one of {counted(len(fitting), 'node')}"
    enough = most >= (step.gpu or 0)
    return Finding(f"GPU of {name}", enough, said if enough else f"{said}: install its device plugin, or lower `gpu`")


def _count(allocatable: dict[str, Parsed], kind: str) -> int:
    return int(allocatable.get(kind, 0))
