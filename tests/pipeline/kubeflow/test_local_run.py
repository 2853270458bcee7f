"""The compiled pipeline, run twice as Kubeflow would run it: every step a process of its own, from another folder."""

import csv
import json
from pathlib import Path

import pytest

from data.quickstart import build_quickstart
from pipeline.config.model import PipelineConfig
from pipeline.kubeflow_runner import compile_pipeline
from pipeline.scale import tfx_pipeline as scale_pipeline
from pipeline.scale.design import compare_experiment
from pipeline.scale.experiment import Effort
from tests.pipeline.kubeflow.conftest import cluster_config
from tests.pipeline.kubeflow.local_backend import LocalBackend, Task

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

ROOT = "minio://mlpipeline/v2"
SMALL = ("model.image_size=32", "train.epochs=1", "tune.trials=1", "tune.data_fraction=0.3", "serving.requests=3")
DRIVERS = {"ImageExampleGen-resolver", "DataGate-resolver", "ServedModel-resolver", "Pusher-resolver"}


class Cluster:
    """A volume that the steps mount, and the backend."""

    def __init__(self, folder: Path):
        self.volume, self.folder = folder / "volume", folder
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        self.backend = LocalBackend(folder / "bucket", folder / "container", elsewhere)
        build_quickstart(self.volume / "digits")

    def config(self, *overrides: str) -> PipelineConfig:
        settings = (
            f"data.path={self.volume / 'digits'}",
            f"push.path={self.volume / 'served'}",
            f"runners.kubeflow.volumes=[{{claim: data, path: {self.volume}}}]",
            f"runners.kubeflow.state={self.volume / 'state'}",
            f"runners.kubeflow.env={{EFFNET_MIRROR_ROOT: {self.folder / 'container'}}}",
            "runners.kubeflow.secrets=[]",
        )
        return cluster_config(*SMALL, *settings, *overrides)

    def run(self, name: str, *overrides: str) -> dict[str, Task]:
        compile_pipeline(self.config(*overrides), str(self.folder / name))
        return self.backend.run(self.folder / name / "quickstart.yaml", ROOT)

    def served(self) -> list[str]:
        return sorted(path.name for path in (self.volume / "served").glob("[0-9]*"))

    def verdict(self, run: dict[str, Task]) -> dict:
        path = self.backend.path_of(run["GatedEvaluator"].artifacts["blessing"]) / "verdict.json"
        return json.loads(path.read_text())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def first(cluster) -> dict[str, Task]:
    return cluster.run("first", "evaluate.min_accuracy=0.05")


def failures(run: dict[str, Task]) -> dict[str, str]:
    return {name: task.log[-3000:] for name, task in run.items() if task.state.startswith("FAILED")}


def test_every_step_completes_and_the_model_is_pushed(cluster, first):
    assert failures(first) == {}
    assert {task.state for task in first.values()} == {"COMPLETE"}
    (version,) = cluster.served()
    assert (cluster.volume / "served" / version / "saved_model.pb").is_file()
    pushed = first["Pusher"].artifacts["pushed_model"]["metadata"]
    assert (pushed["pushed"], pushed["pushed_destination"]) == (1, str(cluster.volume / "served" / version))


def test_what_is_written_down_names_the_bucket_and_not_the_container(cluster, first):
    artifacts = [artifact for task in first.values() for artifact in task.artifacts.values()]
    assert len(artifacts) >= 15
    assert all(artifact["uri"].startswith(ROOT) for artifact in artifacts)
    assert str(cluster.folder / "container") not in json.dumps(artifacts)
    card = next((cluster.volume / "served").rglob("model_card.md")).read_text()
    assert first["Trainer"].artifacts["model"]["uri"] in card


def test_an_unchanged_second_run_repeats_only_what_looks_at_the_pushed_model(cluster, first):
    served = cluster.served()
    again = cluster.run("again", "evaluate.min_accuracy=0.05")
    # That a model was pushed is news to these; drivers are always asked.
    looking = {"DataGate", "Pusher", "DataProfile", "RunReport"}
    assert {name for name, task in again.items() if task.state == "COMPLETE"} == DRIVERS | looking | {"Outcome"}
    assert {task.state for name, task in again.items() if name not in DRIVERS | looking | {"Outcome"}} == {"CACHED"}
    assert again["Pusher"].artifacts["pushed_model"]["metadata"]["already_served"] == 1
    assert cluster.served() == served


def test_the_next_model_is_compared_with_the_pushed_one_and_refused_where_it_is_worse(cluster, first):
    (served,) = cluster.served()
    worse = cluster.run("worse", "evaluate.min_accuracy=0.05", "train.learning_rate=1.0e-9", "tune.enabled=false")
    assert set(failures(worse)) == {"Outcome"}
    assert worse["Outcome"].state == "FAILED with 3"
    assert worse["RunReport"].state == "COMPLETE"
    assert worse["Transform"].state == "CACHED"
    verdict = cluster.verdict(worse)
    assert verdict["baseline_version"] == served
    assert verdict["baseline_accuracy"] == pytest.approx(cluster.verdict(first)["accuracy"])
    assert not verdict["blessed"]
    assert worse["Outcome"].log.splitlines()[-1] == f"error: {'; '.join(verdict['problems'])}"
    assert worse["Pusher"].artifacts["pushed_model"]["metadata"]["pushed"] == 0
    assert cluster.served() == [served]


def test_a_comparison_of_networks_runs_there_and_takes_data_and_images_from_the_cache(cluster, first):
    config = cluster.config()
    effort = Effort(epochs=1, seeds=1, data_fraction=0.3, minutes=None)
    experiment = compare_experiment(config, effort, ["b0"], ["MobileNetV3Small"])
    package = cluster.folder / "compare.yaml"
    scale_pipeline.compile_pipeline(config, effort, experiment, package)
    run = cluster.backend.run(package, ROOT)
    assert failures(run) == {}
    made = {"Trainer-b0-seed-42", "Trainer-MobileNetV3Small-seed-42", "StudyReport"}
    # That a model was pushed may be news to the gate, as above.
    assert {name for name, task in run.items() if task.state == "COMPLETE"} - DRIVERS - {"DataGate"} == made
    report = cluster.backend.path_of(run["StudyReport"].artifacts["report"])
    rows = list(csv.DictReader((report / "results.csv").open(encoding="utf-8")))
    assert [row["network"] for row in rows] == ["b0", "MobileNetV3Small"]
    assert all(0 < float(row["accuracy"]) <= 1 for row in rows)
    assert (report / "index.html").read_text(encoding="utf-8").count("<svg") == 3
    logs = cluster.backend.path_of(run["Trainer-b0-seed-42"].artifacts["model_run"])
    assert (logs / "history.csv").is_file()


def test_new_images_are_seen_although_no_setting_changed(cluster, first):
    next((cluster.volume / "digits" / "3").glob("*.png")).unlink()
    run = cluster.run(
        "strict", "evaluate.min_accuracy=0.05", "data.max_bad_fraction=0.0", "data.min_images_per_class=900"
    )
    assert run["ImageExampleGen"].state == "COMPLETE"
    assert run["DataGate"].state == "FAILED with 4"
    assert "error: " in run["DataGate"].log.splitlines()[-1]
    assert run["Transform"].state == run["Pusher"].state == "NOT_TRIGGERED"
