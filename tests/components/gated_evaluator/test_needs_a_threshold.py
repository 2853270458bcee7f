"""An evaluation without an absolute threshold cannot say no to a first model."""

import json

import pytest

from components.common.errors import GateError
from components.gated_evaluator.needs_a_threshold import require_absolute_threshold

BOUND = {"value_threshold": {"lower_bound": 0.8}}
CHANGE = {"change_threshold": {"absolute": -0.01, "direction": "HIGHER_IS_BETTER"}}


def config(metric: dict, **spec) -> str:
    return json.dumps({"metrics_specs": [{"metrics": [{"class_name": "Accuracy"} | metric], **spec}]})


@pytest.mark.parametrize(
    "eval_config",
    [
        config({"threshold": BOUND}),
        config({"threshold": BOUND | CHANGE}),
        config({"per_slice_thresholds": [{"slicing_specs": [{}], "threshold": BOUND}]}),
        config({}, thresholds={"accuracy": BOUND}),
        '{"metricsSpecs": [{"thresholds": {"a": {"valueThreshold": {"upperBound": 0.0}}}}]}',
    ],
)
def test_one_bound_is_enough(eval_config):
    require_absolute_threshold(eval_config)


@pytest.mark.parametrize(
    "eval_config",
    [
        "{}",
        config({}),
        config({"threshold": CHANGE}),
        config({"threshold": {"value_threshold": {}}}),
        config({"config": '{"value_threshold": {"lower_bound": 1}}'}),
    ],
)
def test_none_is_refused(eval_config):
    with pytest.raises(GateError, match="no absolute threshold"):
        require_absolute_threshold(eval_config)
