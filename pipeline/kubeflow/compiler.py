"""Compiles the pipeline for Kubeflow Pipelines and Vertex AI."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from components.common import files
from components.common.json_types import JsonObject, Parsed
from pipeline.config.beam import workers_are_elsewhere
from pipeline.config.engines import WORKER_POOL
from pipeline.config.model import PipelineConfig
from pipeline.kubeflow import ir, outcome
from pipeline.kubeflow.checks import check_config, check_names, check_pipeline, check_vertex
from pipeline.kubeflow.platform_spec import platform_spec
from pipeline.steps.code_keys import roots_of

COMMAND = ["python", "-P", "-m", "pipeline.kubeflow.entrypoint"]


def in_cluster(config: PipelineConfig) -> PipelineConfig:
    """The configuration as the containers see it: what a run leaves behind lies in `runners.kubeflow.state`.

    Raises:
      KubeflowError: something in it cannot work there.
    """
    check_config(config)
    settings = config.runners.kubeflow
    beam = (*config.runners.beam, *worker_options(config.runners.beam, settings.image))
    local = config.runners.local.model_copy(update={"root": settings.state})
    runners = config.runners.model_copy(update={"local": local, "beam": beam})
    return config.model_copy(update={"runners": runners})


def worker_options(beam: Sequence[str], image: str) -> list[str]:
    """Options that let Beam's workers run our image; none if they are local, or the user has said what they run."""
    own = ("--sdk_container_image=", "--environment_type=", "--environment_config=")
    if not workers_are_elsewhere(beam) or any(option.startswith(own) for option in beam):
        return []
    if any(option.startswith("--runner=") and "Dataflow" in option for option in beam):
        return [f"--sdk_container_image={image}"]
    # Pods have no Docker: a pool runs beside each of the engine's workers.
    return [
        "--environment_type=EXTERNAL",
        f"--environment_config={WORKER_POOL}",
        f"--sdk_container_image={image}",
    ]


def has_outcome(nodes: Sequence[BaseNode]) -> bool:
    """Tells whether a pipeline judges and pushes a model; a comparison of networks does not."""
    return {step for step, _ in outcome.INPUTS.values()} <= {node.id for node in nodes}


class KubeflowRunner(KubeflowV2DagRunner):
    """TFX's runner, and what open-source Kubeflow needs beyond it; `run` compiles.

    The name of the output decides its form: .yaml, the API server's, or .json, Vertex AI's PipelineJob.
    """

    def __init__(self, config: PipelineConfig, output_dir: str | None = None, output_filename: str | None = None):
        """Describes a compilation.

        Args:
          config: as `in_cluster` gives it.
          output_dir: where the result goes; None: the current folder.
          output_filename: None: `<name>.yaml`.
        """
        settings = config.runners.kubeflow
        runner_config = KubeflowV2DagRunnerConfig(
            default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True
        )
        super().__init__(runner_config, output_dir, output_filename or f"{config.name}.yaml")
        self._pipeline_config = config

    @property
    def _vertex(self) -> bool:
        """Whether the result is for Vertex AI; the tfx command line names its file only after it made the runner."""
        return str(self._output_filename).endswith(".json")

    def run(
        self,
        pipeline: tfx.dsl.Pipeline,
        parameter_values: dict[str, Parsed] | None = None,
        write_out: bool | None = True,
    ) -> dict[str, Parsed]:
        """Compiles `pipeline` and writes the result, unless `write_out` is false; returns it as a PipelineJob.

        Raises:
          KubeflowError: the backend would refuse a node; it is named.
        """
        check_pipeline(pipeline, self._pipeline_config)
        if self._vertex:
            check_vertex(self._pipeline_config)
        nodes = list(pipeline.components)
        resolvers = [ir.driver_task(node.id) for node in ir.nodes_with_driver(nodes)]
        check_names([*(node.id for node in nodes), *resolvers, *([outcome.TASK] if has_outcome(nodes) else [])])
        job = super().run(pipeline, parameter_values, write_out=False)
        spec = json_format.ParseDict(job["pipelineSpec"], pb.PipelineSpec())
        platform = self._complete(spec, pipeline)
        job["pipelineSpec"] = json_format.MessageToDict(spec)
        job["runtimeConfig"].pop("gcsOutputDirectory", None)
        if root := self._pipeline_config.runners.kubeflow.pipeline_root:
            job["runtimeConfig"]["gcsOutputDirectory"] = root
        if write_out:
            self._write(job, platform)
        return job

    def _complete(self, spec: pb.PipelineSpec, pipeline: tfx.dsl.Pipeline) -> JsonObject | None:
        """Adds to `spec` what TFX leaves out; returns the platform spec."""
        settings = self._pipeline_config.runners.kubeflow
        deployment = json_format.ParseDict(
            json_format.MessageToDict(spec.deployment_spec), pb.PipelineDeploymentConfig()
        )
        nodes = list(pipeline.components)
        steps = {node.id: settings.step(node.id) for node in nodes}
        for node in nodes:
            if (executor := deployment.executors[ir.executor_label(node.id)]).HasField("container"):
                executor.container.args.extend(ir.sources_flag(roots_of(node)))
        drivers = {ir.driver_task(node.id): node for node in ir.nodes_with_driver(nodes)}
        for name, node in drivers.items():
            ir.add_driver(spec, deployment, node)
            steps[name] = ir.small(steps[node.id])
        if has_outcome(nodes):
            ir.add_outcome(spec, deployment)
            # A refusal is the same at every attempt.
            steps[outcome.TASK] = ir.small(settings.step(outcome.TASK)).model_copy(update={"retries": 0})
        remote = workers_are_elsewhere(self._pipeline_config.runners.beam)
        for name, step in steps.items():
            executor = deployment.executors[ir.executor_label(name)]
            if executor.HasField("container"):  # an Importer has none
                ir.set_container(executor.container, settings, step)
                executor.container.args.extend([ir.REMOTE_FLAG] if remote else [])
            may_cache = name not in (*drivers, outcome.TASK)
            ir.set_task(spec.root.dag.tasks[name], step, may_cache, vertex=self._vertex)
        ir.set_defaults(spec, nodes)
        spec.default_pipeline_root = settings.pipeline_root or ""
        spec.deployment_spec.Clear()
        spec.deployment_spec.update(json_format.MessageToDict(deployment))
        return platform_spec(settings, steps)

    def _write(self, job: dict[str, Parsed], platform: JsonObject | None) -> None:
        path = Path(self._output_dir) / self._output_filename
        if self._vertex:
            files.write_text(str(path), json.dumps(job, sort_keys=True))
            return
        documents = [job["pipelineSpec"], *([platform] if platform else [])]
        files.write_text(str(path), yaml.safe_dump_all(documents, sort_keys=True))
