"""What TFX's compiler leaves out of the intermediate representation (IR), added to it.

TFX's compiler keeps neither defaults nor pipeline root, compiles drivers into a hook that only Vertex AI once ran, and
drops containers' environment (tfx#7765) and the resources of some nodes (tfx#6146). All functions change `spec`, or
`deployment`, in place.
"""

from collections.abc import Iterable

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from kubernetes.utils import parse_quantity
from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.utils import name_utils

from components.common.code_key import ROOMS, sources_key
from pipeline.config.kubeflow import KubeflowSettings, Step
from pipeline.kubeflow import outcome
from pipeline.kubeflow.entrypoint import DRIVER_OUTPUT

CACHE_KEY_FLAG, DRIVER_FLAG, OUTCOME_FLAG = "--cache_key", "--driver_class_path", "--outcome"
REMOTE_FLAG = "--remote_artifacts"
# Not "-driver": KFP runs a task X-driver of its own before each task X, in the same workflow.
DRIVER_SUFFIX = "-resolver"
BACKOFF_SECONDS, BACKOFF_FACTOR = 30, 2.0
# Counts from the first attempt's start, so the training itself must fit in. KFP passes 0 to Argo where it is missing,
# and Argo then tries nothing again.
RETRY_WITHIN_SECONDS = 30 * 24 * 3600
GIGABYTE = 10**9


def executor_label(task_name: str) -> str:
    """The name by which the IR calls a step's container; TFX's rule."""
    return f"{task_name}_executor"


def driver_task(node_id: str) -> str:
    """The name of the task that runs a node's driver."""
    return f"{node_id}{DRIVER_SUFFIX}"


def nodes_with_driver(nodes: Iterable[BaseNode]) -> list[BaseNode]:
    """The nodes whose driver does more than TFX's own, which the backend replaces."""
    return [node for node in nodes if node.driver_class is not BaseDriver]


def add_driver(spec: pb.PipelineSpec, deployment: pb.PipelineDeploymentConfig, node: BaseNode) -> None:
    """Lets the node's driver run as a task of its own, just before the node.

    What it finds out, such as the fingerprint of the images, becomes a parameter of the node and so part of its cache
    key. The driver itself is never taken from the cache. This needs nothing of the backend but parameters.
    """
    name, task = driver_task(node.id), spec.root.dag.tasks[node.id]
    spec.components[name].input_definitions.CopyFrom(spec.components[node.id].input_definitions)
    spec.components[name].output_definitions.parameters[DRIVER_OUTPUT].parameter_type = pb.ParameterType.STRING
    spec.components[name].executor_label = executor_label(name)

    driver = spec.root.dag.tasks[name]
    driver.CopyFrom(task)
    driver.task_info.name = name
    driver.component_ref.name = name
    driver.caching_options.Clear()

    container = deployment.executors[executor_label(name)].container
    container.CopyFrom(deployment.executors[executor_label(node.id)].container)
    find = getattr(node.driver_class, "find", None)
    if find:  # it needs no TFX, which takes seconds to import
        container.args[:2] = [CACHE_KEY_FLAG, f"{find.__module__}.{find.__qualname__}"]
    else:
        container.args[:2] = [DRIVER_FLAG, name_utils.get_full_name(node.driver_class)]

    spec.components[node.id].input_definitions.parameters[DRIVER_OUTPUT].parameter_type = pb.ParameterType.STRING
    output = task.inputs.parameters[DRIVER_OUTPUT].task_output_parameter
    output.producer_task, output.output_parameter_key = name, DRIVER_OUTPUT
    task.dependent_tasks.append(name)


def sources_flag(roots: Iterable[str]) -> list[str]:
    """The code of this project that a step runs, for `entrypoint.check_sources`; nothing if it runs none.

    Not that of the entrypoint too: the flag is in the step's cache key.
    """
    names = [name for name in roots if name.partition(".")[0] in ROOMS]
    return [f"--sources={sources_key(*names)}:{','.join(names)}"] if names else []


def add_outcome(spec: pb.PipelineSpec, deployment: pb.PipelineDeploymentConfig) -> None:
    """Adds the step that tells a refused run from one that pushed, after all others; see outcome.py."""
    tasks = spec.root.dag.tasks
    others = list(tasks)
    component, task = spec.components[outcome.TASK], tasks[outcome.TASK]
    component.executor_label = executor_label(outcome.TASK)
    task.task_info.name = task.component_ref.name = outcome.TASK
    task.dependent_tasks.extend(others)
    for name, (step, output) in outcome.INPUTS.items():
        kind = spec.components[step].output_definitions.artifacts[output].artifact_type
        component.input_definitions.artifacts[name].artifact_type.CopyFrom(kind)
        source = task.inputs.artifacts[name].task_output_artifact
        source.producer_task, source.output_artifact_key = step, output
    container = deployment.executors[executor_label(outcome.TASK)].container
    container.CopyFrom(deployment.executors[executor_label("Pusher")].container)
    definitions = json_format.MessageToJson(component.input_definitions)
    del container.args[:]
    container.args.extend([OUTCOME_FLAG, "--json_serialized_invocation_args", "{{$}}"])
    container.args.extend(["--json_serialized_inputs_spec_args", definitions, *sources_flag([outcome.__name__])])


def set_container(
    container: pb.PipelineDeploymentConfig.PipelineContainerSpec, settings: KubeflowSettings, step: Step
) -> None:
    """Gives a container its environment, and what its pod asks for.

    Each figure stands there twice, for backends before KFP 2.4 and Vertex AI, and for newer ones.
    """
    container.image = settings.image_of(step)
    for name, value in sorted(settings.env.items()):
        container.env.add(name=name, value=value)
    resources = container.resources
    if step.cpu:
        resources.cpu_limit, resources.resource_cpu_limit = step.cpu, f"{step.cpu:g}"
    if step.memory:
        resources.memory_limit = float(parse_quantity(step.memory)) / GIGABYTE
        resources.resource_memory_limit = step.memory
    if step.gpu:
        kind = step.gpu_type or "nvidia.com/gpu"
        resources.accelerator.type, resources.accelerator.resource_type = kind, kind
        resources.accelerator.count, resources.accelerator.resource_count = step.gpu, str(step.gpu)


def small(step: Step) -> Step:
    """What a step asks for that only looks at names and files: no GPU, and no node chosen for one."""
    return step.model_copy(update={"gpu": 0, "node_selector": None, "tolerations": None})


def set_task(task: pb.PipelineTaskSpec, step: Step, may_cache: bool, vertex: bool) -> None:
    """Sets whether a task may be taken from the cache, and how often it is tried again.

    Vertex AI takes `backoff_max_duration` for the longest pause, of an hour at most; there its own default stays.
    """
    task.caching_options.enable_cache = may_cache and step.cache is not False
    if step.retries:
        task.retry_policy.max_retry_count = step.retries
        task.retry_policy.backoff_duration.seconds = BACKOFF_SECONDS
        task.retry_policy.backoff_factor = BACKOFF_FACTOR
        if not vertex:
            task.retry_policy.backoff_max_duration.seconds = RETRY_WITHIN_SECONDS


def set_defaults(spec: pb.PipelineSpec, nodes: Iterable[BaseNode]) -> None:
    """Gives each runtime parameter its default; the API server refuses a run that leaves out one without."""
    for node in nodes:
        for value in node.exec_properties.values():
            if isinstance(value, RuntimeParameter) and value.default is not None:
                default = spec.root.input_definitions.parameters[value.name].default_value
                if value.ptype is str:
                    default.string_value = str(value.default)
                else:
                    default.number_value = float(value.default)
