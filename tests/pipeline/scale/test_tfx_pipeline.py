"""A study as a pipeline: data once, a Transform for each side, trainings that wait for nothing else, one report."""

import csv
import json
from dataclasses import asdict

import pytest

from pipeline.config.load import load_config
from pipeline.config.model import ConfigError
from pipeline.scale.design import compare_experiment, study_experiment
from pipeline.scale.experiment import Effort
from pipeline.scale.report import write_report
from pipeline.scale.tfx_pipeline import create_scale_pipeline, own_config

pytestmark = pytest.mark.tfx

TINY = ("model.base_width=0.2", "model.base_depth=0.3", "model.image_size=32", "runners.local.root=/somewhere")
EFFORT = Effort(epochs=3, seeds=2, data_fraction=0.5, minutes=None)


def experiment():
    return study_experiment(load_config(overrides=TINY), EFFORT, [2.0, 2.5], None)


@pytest.fixture(scope="module")
def pipeline():
    config = load_config(overrides=TINY)
    return create_scale_pipeline(own_config(config, "study"), EFFORT, experiment())


@pytest.fixture(scope="module")
def nodes(pipeline) -> dict:
    return {component.id: component for component in pipeline.components}


def test_a_study_is_wired_once_for_data_each_side_and_each_training(pipeline, nodes):
    asked = experiment()
    data = ["ImageExampleGen", "CuratedSchema", "StatisticsGen", "ExampleValidator", "DataGate"]
    sides = sorted({network.side for network in asked.networks})
    assert len(sides) > 2
    transforms = [f"Transform-{side}" for side in sides]
    trainers = [name for name in nodes if name.startswith("Trainer")]
    assert set(nodes) == {*data, *transforms, *trainers, "StudyReport"}
    assert len(trainers) == 9 * 2
    assert {"Trainer-base-seed-42", "Trainer-depth-x2-5-seed-43", "Trainer-compound-x2-seed-42"} <= set(trainers)
    assert pipeline.pipeline_info.pipeline_name == "quickstart-study"
    assert pipeline.pipeline_info.pipeline_root == "/somewhere/quickstart-study/artifacts"
    for name in transforms:
        assert nodes["DataGate"] in nodes[name].upstream_nodes


def test_a_training_waits_for_its_images_alone_and_is_told_what_the_local_command_tells(nodes):
    for network in experiment().networks:
        for seed in (42, 43):
            node = nodes[f"Trainer-{network.name.replace(' ', '-').replace('.', '-')}-seed-{seed}"]
            assert {one.id for one in node.upstream_nodes} == {f"Transform-{network.side}", "CuratedSchema"}
            told = json.loads(node.exec_properties["custom_config"])
            assert (told["seed"], told["image_size"], told["train"]["epochs"]) == (seed, network.side, 3)
            assert told["model"] == network.model.model_dump()
            assert told["checkpoint_root"] == "/somewhere/quickstart-study/scale/trainings"


def test_the_gate_looks_at_what_the_pipeline_itself_has_pushed(nodes):
    assert nodes["DataGate"].exec_properties["push_path"] == "/somewhere/quickstart/served"


def test_the_report_has_every_training_in_its_place_and_leaves_out_what_diverged(tmp_path, nodes):
    from trainer.compound.outcome import OUTCOME_FILE, TrainingResult

    inputs = nodes["StudyReport"].inputs
    trainers = [inputs[name].producer_component_id for name in sorted(inputs)]
    assert trainers[:3] == ["Trainer-base-seed-42", "Trainer-base-seed-43", "Trainer-depth-x2-seed-42"]
    places = []
    for number, name in enumerate(trainers):
        outcome = TrainingResult(
            number / 100, 1.0, 1_000, 1_000_000 + number, 2.0, 5.0, 100, 50, 0.1, 2.3, "a processor"
        )
        failed = name.startswith("Trainer-width-x2-seed") or name == "Trainer-depth-x2-seed-43"
        (tmp_path / name).mkdir()
        (tmp_path / name / OUTCOME_FILE).write_text(json.dumps(None if failed else asdict(outcome)))
        places.append(str(tmp_path / name))
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(str(folder), nodes["StudyReport"].exec_properties["experiment"], places)
    rows = list(csv.DictReader((folder / "results.csv").open(encoding="utf-8")))
    asked = experiment()
    assert [row["network"] for row in rows] == [one.name for one in asked.networks if one.name != "width x2"]
    assert [(row["accuracy"], row["seeds"]) for row in rows[:2]] == [("0.005", "2"), ("0.02", "1")]
    assert (rows[0]["side"], rows[0]["level"]) == ("32", "1.0")
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "15 of 18" in page
    assert page.count("<svg") == 3


def test_a_comparison_has_every_network_once():
    config = load_config(overrides=["model.image_size=32"])
    asked = compare_experiment(config, EFFORT, ["b0", "b0"], ["MobileNetV3Small"])
    assert [(network.name, network.group) for network in asked.networks] == [
        ("b0", "EfficientNet"),
        ("MobileNetV3Small", "MobileNet"),
    ]
    with pytest.raises(ConfigError, match="--backbone VGG: expected one of ResNet50"):
        compare_experiment(config, EFFORT, ["b0"], ["VGG"])


def test_a_network_that_two_ways_give_is_trained_once_under_both_names():
    config = load_config(overrides=[*TINY, "model.alpha=1", "model.beta=1.4", "model.gamma=1"])
    asked = study_experiment(config, EFFORT, [2.0, 4.0], 10)
    names = [network.name for network in asked.networks]
    assert "width x4 = compound x4" in names
    assert all(network.group in ("base", "depth", "resolution", "width = compound") for network in asked.networks), (
        names
    )
    assert len({str(network.model.chosen_variant) for network in asked.networks}) == len(names)


def test_what_would_treat_networks_unlike_is_refused():
    config = load_config(overrides=[*TINY, "train.batch_size=auto"])
    for ask in (
        lambda: study_experiment(config, EFFORT, [2.0], None),
        lambda: compare_experiment(config, EFFORT, ["b0"], ["ResNet50"]),
    ):
        with pytest.raises(ConfigError, match=r"use --set train\.batch_size=32"):
            ask()
    pretrained = load_config(overrides=[*TINY, "model.weights=imagenet", "train.recipe=finetune"])
    assert compare_experiment(pretrained, EFFORT, ["b0"], ["ResNet50"]).networks
    with pytest.raises(ConfigError, match="train from scratch"):
        study_experiment(pretrained, EFFORT, [2.0], None)


def test_images_are_stored_for_a_study_also_where_the_pipeline_stores_none():
    config = load_config(overrides=[*TINY, "transform.materialize=false", "transform.format=png"])
    pipeline = create_scale_pipeline(config, EFFORT, experiment())
    nodes = {component.id: component for component in pipeline.components}
    assert "transformed_examples" in nodes["Transform-32"].outputs
    told = json.loads(nodes["Trainer-base-seed-42"].exec_properties["custom_config"])
    assert (told["transform"]["format"], told["transform"]["materialize"]) == ("png", True)
