"""What TensorFlow Model Analysis measured and what it refused, as plain values."""

from dataclasses import dataclass
from typing import TypedDict

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto.validation_result_pb2 import ValidationFailure

from components.common.metrics import ACCURACY, AUC, EXAMPLES, metric_of
from components.gated_evaluator.rules import EQUAL_IS_ENOUGH, ClassResult
from components.gated_evaluator.slices import Slice

CANDIDATE, BASELINE = "candidate", "baseline"
CLASS_FEATURE = "class_name"


class BoundedValue(TypedDict):
    """A value with its 95 % interval, as protobuf writes it in JSON."""

    value: float
    lowerBound: float
    upperBound: float


class MetricValue(TypedDict, total=False):
    """A metric of TFMA: one of the two."""

    doubleValue: float
    boundedValue: BoundedValue


MetricValues = dict[str, MetricValue]


@dataclass(frozen=True)
class Evaluation:
    """A model's metrics on the eval images.

    Attributes:
        metrics: by TFMA's name, over all images; beside a served model also `<name>_diff`, the change against it.
        classes: by name.
        slices: by size and brightness.
        change: 95 % interval of the change of accuracy against the served model; None if it was not computed.
    """

    metrics: dict[str, float]
    classes: dict[str, ClassResult]
    slices: list[Slice]
    change: tuple[float, float] | None = None


def read_evaluation(uri: str, model_name: str) -> Evaluation | None:
    """Returns what was measured of a model; None if it was not evaluated."""
    slices = {key: _plain_names(metrics[""][""]) for key, metrics in _load(uri, model_name).slicing_metrics}
    if ACCURACY not in slices.get((), {}):
        return None
    overall = slices.pop(())
    classes = {
        str(key[0][1]): ClassResult(_value(metrics[ACCURACY]), round(_value(metrics[EXAMPLES])))
        for key, metrics in slices.items()
        if [feature for feature, _ in key] == [CLASS_FEATURE]
    }
    kinds = [
        Slice(str(key[0][0]), str(key[0][1]), _value(metrics[ACCURACY]), round(_value(metrics[EXAMPLES])))
        for key, metrics in slices.items()
        if key[0][0] != CLASS_FEATURE
    ]
    bounds = overall.get(f"{ACCURACY}_diff", {}).get("boundedValue")
    return Evaluation(
        metrics={name: _value(value) for name, value in overall.items()},
        classes=classes,
        slices=sorted(kinds, key=lambda kind: (kind.feature, -kind.examples)),
        change=(bounds["lowerBound"], bounds["upperBound"]) if bounds else None,
    )


def read_failures(uri: str) -> list[str]:
    """Returns a line for each of TFMA's thresholds that the candidate did not meet."""
    validation = tfma.load_validation_result(uri)
    failures = [
        _explain(failure)
        for slice_result in validation.metric_validations_per_slice
        for failure in slice_result.failures
    ]
    return failures or ([] if validation.validation_ok else ["a threshold could not be checked"])


def read_confusions(uri: str, model_name: str) -> list[tuple[int, int, int]]:
    """Returns (actual label, predicted label, images) of every pair that occurs, those with most images first."""
    plots = [plot for key, plot in _load(uri, model_name).plots if not key and plot]
    matrices = [
        plot["multiClassConfusionMatrixAtThresholds"]["matrices"][0].get("entries", [])
        for outputs in plots
        for sub_keys in outputs.values()
        for plot in sub_keys.values()
    ]
    # Protobuf leaves out what is zero, label 0 among it.
    pairs = [
        (entry.get("actualClassId", 0), entry.get("predictedClassId", 0), round(entry["numWeightedExamples"]))
        for entries in matrices
        for entry in entries
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def _load(uri: str, model_name: str) -> tfma.EvalResult:
    """Loads a model's results; of a candidate that it evaluated alone TFMA drops the name."""
    found = tfma.load_eval_result(uri, model_name=model_name)
    alone = not any(ACCURACY in metrics[""][""] for _, metrics in found.slicing_metrics)
    return tfma.load_eval_result(uri, model_name="") if alone and model_name == CANDIDATE else found


def _plain_names(metrics: MetricValues) -> MetricValues:
    """Drops the way of averaging that TFMA writes before a metric's name, as in "micro_average: true _auc"."""
    return {AUC if name.endswith(f"_{AUC}") else name: value for name, value in metrics.items()}


def _value(metric: MetricValue) -> float:
    return float(metric["boundedValue"]["value"] if "boundedValue" in metric else metric["doubleValue"])


def _explain(failure: ValidationFailure) -> str:
    threshold, value = failure.metric_threshold, failure.metric_value.double_value.value
    name = metric_of(failure.metric_key.name).label
    if failure.message.strip():
        return f"{name}: {' '.join(failure.message.split())}"
    if threshold.HasField("change_threshold"):
        # The threshold leaves room for rounding, which is nothing that anybody has set.
        allowed = abs(threshold.change_threshold.absolute.value) - EQUAL_IS_ENOUGH
        drop = f"a drop of {allowed:.4g}" if allowed > EQUAL_IS_ENOUGH else "no drop"
        return f"{name} changed by {value:+.4f} against the served model, {drop} is allowed"
    bounds = threshold.value_threshold
    side, bound = ("below", bounds.lower_bound) if bounds.HasField("lower_bound") else ("above", bounds.upper_bound)
    return f"{name} is {value:.4f}, {side} {bound.value:g}"
