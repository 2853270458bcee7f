"""What the backend would refuse, or silently do wrong, is refused when the pipeline is compiled."""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.common import files
from pipeline.config.beam import workers_are_elsewhere
from pipeline.config.model import PipelineConfig
from pipeline.config.secrets import without_secrets
from pipeline.kubeflow.errors import KubeflowError
from trainer.settings import NO_FILE

if TYPE_CHECKING:
    from tfx import v1 as tfx
    from tfx.dsl.components.base.base_node import BaseNode

# KFP makes two Argo tasks of each task X: X, and X-driver before it; the whole pipeline's are root and root-driver.
KFP_DRIVER_SUFFIX = "-driver"
KFP_TASKS = ("root", f"root{KFP_DRIVER_SUFFIX}")
# Argo 3.7's rules for a name that others depend on: 128 characters at most, the suffix included, and no digit first.
TASK_NAME = re.compile(rf"[a-zA-Z][a-zA-Z0-9-]{{0,{127 - len(KFP_DRIVER_SUFFIX)}}}")
# A pipeline's name also becomes part of pods' names.
PIPELINE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def check_config(config: PipelineConfig) -> None:
    """Refuses paths that no container sees, and workers that cannot read the artifacts.

    Raises:
      KubeflowError: at the first of them.
    """
    settings = config.runners.kubeflow
    if not PIPELINE_NAME.fullmatch(config.name):
        raise KubeflowError(f"name: got {config.name}, expected lower-case letters, digits and inner hyphens")
    if config.push.path is None:
        raise KubeflowError(
            "push.path: is required on Kubeflow, where a step's own disk is gone with it: expected s3://, gs:// or a "
            "folder on a volume of runners.kubeflow.volumes"
        )
    paths = {"data.path": config.data.path, "push.path": config.push.path}
    if config.model.weights not in NO_FILE:
        paths["model.weights"] = config.model.weights
    for key, path in paths.items():
        if path.startswith("minio://"):
            raise KubeflowError(
                f"{key}: got {path}, which only the launcher knows: expected s3://, see docs/kubeflow.md"
            )
        if not files.is_remote(path) and not settings.mounts(path):
            raise KubeflowError(
                f"{key}: got {path}, which no container sees: expected s3://, gs:// or a folder on a volume of "
                "runners.kubeflow.volumes"
            )
    for name, values in (("beam", config.runners.beam), ("kubeflow.env", config.runners.kubeflow.env)):
        if without_secrets(values) != (list(values) if isinstance(values, tuple) else values):
            raise KubeflowError(
                f"runners.{name}: has a secret, which the compiled pipeline would hold; name a secret of the cluster "
                "in runners.kubeflow.secrets, such as {name: s3, env: {secretkey: AWS_SECRET_ACCESS_KEY}}"
            )
    if workers_are_elsewhere(config.runners.beam) and not (settings.pipeline_root or "").startswith("gs://"):
        raise KubeflowError(
            f"runners.kubeflow.pipeline_root: got {settings.pipeline_root}, expected gs://, the only store that the "
            "workers of a remote Beam runner and TensorFlow both read"
        )


def check_vertex(config: PipelineConfig) -> None:
    """Refuses what Vertex AI has not: anything of Kubernetes, stores other than Google's, Kubernetes' names of GPUs.

    Raises:
      KubeflowError: at the first of them.
    """
    settings = config.runners.kubeflow
    steps = {name: settings.step(name) for name in settings.resources}
    if settings.secrets or settings.volumes or any(step.node_selector or step.tolerations for step in steps.values()):
        raise KubeflowError(
            "Vertex AI has no Kubernetes: empty secrets and volumes of runners.kubeflow, and node_selector and "
            "tolerations of its resources"
        )
    paths = {"data.path": config.data.path, "push.path": config.push_path}
    paths["runners.kubeflow.pipeline_root"] = settings.pipeline_root or "null"
    for key, path in paths.items():
        if not path.startswith("gs://"):
            raise KubeflowError(f"{key}: got {path}, expected gs://, the only store of Vertex AI's steps")
    for name, step in steps.items():
        if step.gpu and (step.gpu_type is None or "/" in step.gpu_type):
            raise KubeflowError(
                f"runners.kubeflow.resources.{name}.gpu_type: got {step.gpu_type}, expected Vertex AI's name of a GPU, "
                "such as NVIDIA_TESLA_T4"
            )


def check_pipeline(pipeline: "tfx.dsl.Pipeline", config: PipelineConfig) -> None:
    """Refuses nodes that the backend cannot run, by name.

    Raises:
      KubeflowError: at the first of them.
    """
    for node in pipeline.components:
        if problem := _problem(node):
            raise KubeflowError(f"{node.id}: {problem}")
    known = [node.id for node in pipeline.components]
    for name in config.runners.kubeflow.resources:
        if name not in (*known, "default"):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise KubeflowError(f"runners.kubeflow.resources.{name}: no such step; {hint}")


def check_names(tasks: Sequence[str]) -> None:
    """Refuses names of tasks that KFP or Argo would refuse when a run is created.

    Raises:
      KubeflowError: at the first of them.
    """
    for name in tasks:
        if not TASK_NAME.fullmatch(name):
            raise KubeflowError(
                f"{name}: expected a letter, then letters, digits and hyphens, {128 - len(KFP_DRIVER_SUFFIX)} "
                "characters at most; rename the step with .with_id()"
            )
        if name in KFP_TASKS or tasks.count(name) > 1:
            raise KubeflowError(f"{name}: Kubeflow has a task of that name already; rename the step with .with_id()")
        if name.removesuffix(KFP_DRIVER_SUFFIX) in tasks and name.endswith(KFP_DRIVER_SUFFIX):
            raise KubeflowError(
                f"{name}: Kubeflow makes a task of that name for {name.removesuffix(KFP_DRIVER_SUFFIX)}; rename the "
                "step with .with_id()"
            )


def _problem(node: "BaseNode") -> str | None:
    from tfx.components import FileBasedExampleGen, InfraValidator
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.dsl.placeholder.placeholder import Placeholder
    from tfx.orchestration.kubeflow.v2 import compiler_utils
    from tfx.orchestration.pipeline import Pipeline
    from tfx.types import Channel

    if isinstance(node, Resolver):
        return "the backend runs no Resolver; ServedModel brings the model to compare with"
    if isinstance(node, InfraValidator):
        return "cannot start a server inside a pod; ServingCheck tries the exported model"
    if isinstance(node, FileBasedExampleGen):
        # https://github.com/tensorflow/tfx/issues/6146: its driver stands in a hook that the backend ignores.
        return "the backend does not resolve the input of TFX's ExampleGens; use ImageExampleGen"
    if isinstance(node, Pipeline):
        return "a pipeline within a pipeline is not compiled by TFX; wire its nodes into this one"
    for key, value in node.exec_properties.items():
        if isinstance(value, Placeholder):
            return f"its parameter {key} is another step's output, for which TFX compiles a task that does not exist"
    for key, channel in node.inputs.items():
        if not isinstance(channel, Channel):
            return f"its input {key} is not a single step's output"
    for key, channel in node.outputs.items():
        try:
            compiler_utils.get_artifact_schema(channel.type)
        except ValueError:
            return f"the type {channel.type.TYPE_NAME} of its output {key} needs a namespace, as in effnet.Report"
    return None
