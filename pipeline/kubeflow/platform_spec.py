"""The Kubernetes side of a step: nodes, secrets and volumes, in kfp-kubernetes' platform spec."""

from collections.abc import Mapping
from types import SimpleNamespace

from kfp import kubernetes

from components.common.json_types import JsonObject
from pipeline.config.kubeflow import KubeflowSettings, Step
from pipeline.kubeflow.ir import executor_label


def platform_spec(settings: KubeflowSettings, steps: Mapping[str, Step]) -> JsonObject | None:
    """The second document of the pipeline's YAML; None if no step needs one.

    Args:
      settings: the secrets and volumes of all steps.
      steps: task name -> what it asks for.
    """
    executors: JsonObject = {
        executor_label(name): config for name, step in steps.items() if (config := _config(settings, step))
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}} if executors else None


def _config(settings: KubeflowSettings, step: Step) -> JsonObject:
    # kfp-kubernetes writes into the platform_config of a task of kfp's own DSL, which TFX's nodes are not.
    task = SimpleNamespace(platform_config={})
    for secret in settings.secrets:
        kubernetes.use_secret_as_env(task, secret.name, dict(secret.env))
    for volume in settings.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.path)
    for label, value in (step.node_selector or {}).items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in step.tolerations or ():
        kubernetes.add_toleration(task, **toleration.model_dump())
    config: JsonObject = task.platform_config.get("kubernetes", {})
    return config
