"""A study or a comparison as a TFX pipeline: on this machine's runner, or compiled for Kubeflow and Vertex AI.

    images -> ImageExampleGen ... DataGate -> Transform, for each side -> Trainer, for each network and seed
           -> StudyReport

The trainings depend only on their images, so that a cluster runs them in parallel. The pipeline has a name, and so a
folder and a metadata store, of its own: <name>-study or <name>-compare.
"""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.config.model import PipelineConfig
from pipeline.scale.design import images_of, training_config
from pipeline.scale.experiment import Effort, Experiment
from pipeline.scale.report import PAGE_FILE
from pipeline.steps.data import data_steps, training_inputs, transform_step
from pipeline.terminal import print_line

if TYPE_CHECKING:
    from tfx import v1 as tfx

LAST_STEP = "StudyReport"


def own_config(config: PipelineConfig, command: str) -> PipelineConfig:
    """The configuration under the name of the study; its gate still compares with what the pipeline has pushed."""
    push = config.push.model_copy(update={"path": config.push_path})
    # A study pushes nothing, so its classes need not be the served model's.
    evaluate = config.evaluate.model_copy(update={"other_classes": "floors"})
    return config.model_copy(update={"name": f"{config.name}-{command}", "push": push, "evaluate": evaluate})


def create_scale_pipeline(config: PipelineConfig, effort: Effort, experiment: Experiment) -> "tfx.dsl.Pipeline":
    """Wires the data part once, a Transform for each side, a Trainer for each network and seed, and the report.

    Args:
      config: as `own_config` gives it.
      effort: how much is spent.
      experiment: what to train.
    """
    from tfx import v1 as tfx

    from components.study_report.component import StudyReport
    from pipeline.dag import assemble

    data = data_steps(config)
    inputs, transforms = {}, []
    for side in sorted({network.side for network in experiment.networks}):
        stored = images_of(config, side)
        transforms.append(transform_step(stored, data, side).with_id(f"Transform-{side}"))
        inputs[side] = training_inputs(stored, data, transforms[-1])
    # Outcomes and checkpoints are in one folder, like those of the local commands.
    state = {"checkpoint_root": str(config.run_root / "scale" / "trainings")}
    trainers = [
        tfx.components.Trainer(
            run_fn="trainer.compound.node.run_fn",
            custom_config={**training_config(config, effort, network), **state, "seed": seed},
            **inputs[network.side],
        ).with_id(f"Trainer-{_identifier(network.name)}-seed-{seed}")
        for network in experiment.networks
        for seed in experiment.seeds
    ]
    report = StudyReport(
        experiment=experiment.model_dump_json(),
        write_fn="pipeline.scale.report.write_report",
        model_runs=[trainer.outputs["model_run"] for trainer in trainers],
    )
    return assemble(config, [*data, *transforms, *trainers, report])


def run_here(config: PipelineConfig, effort: Effort, experiment: Experiment, console: Console) -> Path:
    """Runs the pipeline with TFX's local runner, one step after the other; returns the page.

    Raises:
      RunInProgress: another process runs it.
      ConfigError: the images are not where the configuration says.
    """
    from pipeline.execution.prepare import check_images_are_there, prepare
    from pipeline.execution.progress import StepDisplay
    from pipeline.history.metadata import run_of_id
    from pipeline.run_lock import only_run

    config = own_config(config, experiment.command)
    check_images_are_there(config)
    with only_run(config.run_root):
        with console.status("loading TFX"):
            from pipeline.execution.local_run import new_run_id, run_locally

            prepare(config)
            pipeline = create_scale_pipeline(config, effort, experiment)
        with StepDisplay(console, [component.id for component in pipeline.components]):
            run_id = new_run_id()
            run_locally(pipeline, run_id)
        page = Path(run_of_id(config.metadata_path, run_id).steps[LAST_STEP].outputs["report"].uri) / PAGE_FILE
    print_line(console, "page", str(page))
    return page


def compile_pipeline(config: PipelineConfig, effort: Effort, experiment: Experiment, path: Path) -> str:
    """Writes the pipeline for a cluster, .yaml for Kubeflow or .json for Vertex AI; returns its name.

    Raises:
      KubeflowError: the pipeline cannot run there; one line that says why.
    """
    from pipeline.dag import create_pipeline
    from pipeline.kubeflow.checks import check_pipeline
    from pipeline.kubeflow.compiler import KubeflowRunner, in_cluster

    config = in_cluster(own_config(config, experiment.command))
    check_pipeline(create_pipeline(config), config)  # for resources of a step that neither pipeline has
    pipeline = create_scale_pipeline(config, effort, experiment)
    KubeflowRunner(with_resources(config, pipeline), str(path.parent), path.name).run(pipeline)
    return config.name


def with_resources(config: PipelineConfig, pipeline: "tfx.dsl.Pipeline") -> PipelineConfig:
    """The configuration in which each Transform and Trainer requests the resources of the pipeline's own."""
    kubeflow = config.runners.kubeflow
    kinds = {node.id: node.id.partition("-")[0] for node in pipeline.components}
    resources = {name: kubeflow.resources[kind] for name, kind in kinds.items() if kind in kubeflow.resources}
    if "default" in kubeflow.resources:
        resources["default"] = kubeflow.resources["default"]
    kubeflow = kubeflow.model_copy(update={"resources": resources})
    return config.model_copy(update={"runners": config.runners.model_copy(update={"kubeflow": kubeflow})})


def run_on_kubeflow(config: PipelineConfig, effort: Effort, experiment: Experiment, console: Console) -> str:
    """Uploads the pipeline, or a new version of it, and starts a run; returns the run's id.

    Raises:
      KubeflowError: the pipeline cannot run there, or the cluster does not answer; one line that says why.
    """
    from pipeline.kubeflow.client import KubeflowClient
    from pipeline.kubeflow.connection import connect

    settings = config.runners.kubeflow
    kubeflow = KubeflowClient(
        connect(settings.endpoint), settings.service_account
    )  # before compiling, which takes a minute
    with tempfile.TemporaryDirectory() as folder, console.status("compiling"):
        package = Path(folder) / "pipeline.yaml"
        name = compile_pipeline(config, effort, experiment, package)
        known = [pipeline.display_name for pipeline in kubeflow.pipelines()]
        (kubeflow.update if name in known else kubeflow.create)(name, package)
    run = kubeflow.start(name, {})
    print_line(console, "pipeline", f"{name}, run {run.run_id}")
    return str(run.run_id)


def _identifier(name: str) -> str:
    """The name in letters, digits and hyphens, the only characters that Argo allows."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name)
