"""The wiring: thresholds hold where they should, nothing trains past the gate."""

import pytest

from pipeline import dag
from pipeline.config.load import load_config

pytestmark = pytest.mark.tfx


def nodes(*overrides: str) -> dict:
    return {component.id: component for component in dag.create_pipeline(load_config(overrides=overrides)).components}


def test_the_gate_stands_before_transform():
    steps = nodes()
    assert steps["DataGate"] in steps["Transform"].upstream_nodes


def test_without_materializing_the_trainer_reads_what_was_ingested():
    stored, unstored = nodes("tune.enabled=false"), nodes("tune.enabled=false", "transform.materialize=false")
    assert stored["Trainer"].inputs["examples"].producer_component_id == "Transform"
    assert unstored["Trainer"].inputs["examples"].producer_component_id == "ImageExampleGen"
    assert "transformed_examples" not in unstored["Transform"].outputs


def test_without_a_tuner_the_trainer_takes_no_hyperparameters():
    steps = nodes("tune.enabled=false")
    assert "Tuner" not in steps
    assert "hyperparameters" not in steps["Trainer"].inputs


def test_the_floor_holds_for_the_whole_and_not_for_every_class():
    from pipeline.steps.tfma_eval_config import GATED_METRIC, make_eval_config

    config = make_eval_config(load_config(overrides=["evaluate.min_accuracy=0.75"]).evaluate)
    (gated,) = [metric for metric in config.metrics_specs[0].metrics if metric.class_name == GATED_METRIC]
    assert not gated.HasField("threshold")
    (overall,) = gated.per_slice_thresholds
    assert [list(spec.feature_keys) for spec in overall.slicing_specs] == [[]]
    assert overall.threshold.value_threshold.lower_bound.value == pytest.approx(0.75)
