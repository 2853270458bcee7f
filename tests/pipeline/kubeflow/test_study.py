"""A study compiled for Kubeflow: what the backend reads of it, and the way there."""

import shutil
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format

from components.common.code_key import ROOT
from pipeline.kubeflow.checks import TASK_NAME
from pipeline.kubeflow.connection import TOKEN_VARIABLE
from pipeline.kubeflow.errors import KubeflowError
from pipeline.scale import tfx_pipeline as scale_pipeline
from pipeline.scale.design import study_experiment
from pipeline.scale.experiment import Effort
from pipeline.terminal import make_console
from tests.pipeline.kubeflow.conftest import cluster_config
from tests.pipeline.kubeflow.contract_server import ContractServer

pytestmark = pytest.mark.tfx

TINY = (
    "model.base_width=0.2",
    "model.base_depth=0.3",
    "model.image_size=32",
    "runners.kubeflow.resources.Tuner={gpu: 1}",
)
EFFORT = Effort(epochs=3, seeds=1, data_fraction=1.0, minutes=None)


def compiled(folder: Path, *overrides: str) -> str:
    config = cluster_config(*TINY, *overrides)
    return scale_pipeline.compile_pipeline(
        config, EFFORT, study_experiment(config, EFFORT, [2.0], None), folder / "study.yaml"
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    assert compiled(folder) == "quickstart-study"
    return folder / "study.yaml"


def test_the_trainings_run_side_by_side_each_on_what_the_trainer_asks_for(package):
    from kfp import components
    from kfp.pipeline_spec import pipeline_spec_pb2 as pb

    assert components.load_component_from_file(str(package)).pipeline_spec.pipeline_info.name == "quickstart-study"
    spec, platform = yaml.safe_load_all(package.read_text())
    json_format.ParseDict(spec, pb.PipelineSpec())
    tasks = spec["root"]["dag"]["tasks"]
    assert all(TASK_NAME.fullmatch(name) for name in tasks)
    trainers = [name for name in tasks if name.startswith("Trainer")]
    assert len(trainers) == 5
    for name in trainers:
        assert not set(tasks[name]["dependentTasks"]) & set(trainers)
        container = spec["deploymentSpec"]["executors"][f"{name}_executor"]["container"]
        assert container["image"] == "registry.example/effnet:1-gpu"
        assert container["resources"]["accelerator"]["resourceCount"] == "1"
        assert tasks[name]["retryPolicy"]["maxRetryCount"] == 2
        executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert executors[f"{name}_executor"]["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert set(trainers) <= set(tasks["StudyReport"]["dependentTasks"])
    report = spec["deploymentSpec"]["executors"]["StudyReport_executor"]["container"]
    assert "accelerator" not in report["resources"]
    assert str(ROOT) not in package.read_text()


def test_a_step_that_neither_pipeline_has_is_named(tmp_path):
    with pytest.raises(KubeflowError, match="no such step; did you mean Trainer"):
        compiled(tmp_path, "runners.kubeflow.resources.Trainr={gpu: 1}")
    assert list(tmp_path.iterdir()) == []


def test_one_command_uploads_and_starts_it_again_and_again(package, monkeypatch, tmp_path):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def compile_again(config, effort, experiment, path):
        shutil.copy(package, path)
        return "quickstart-study"

    monkeypatch.setattr(scale_pipeline, "compile_pipeline", compile_again)  # it takes seconds each time
    with ContractServer() as server:
        config = cluster_config(*TINY, f"runners.kubeflow.endpoint={server.url}")
        asked = study_experiment(config, EFFORT, [2.0], None)
        runs = [scale_pipeline.run_on_kubeflow(config, EFFORT, asked, make_console(quiet=True)) for _ in range(2)]
        assert list(server.store.runs) == runs
        assert len(server.store.pipelines) == 1
        assert len(server.store.versions) == 2
        assert server.store.runs[runs[1]].runtime_config.pipeline_root == "minio://mlpipeline/v2"
