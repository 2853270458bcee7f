"""The conditions for a push, from the `evaluate` and `serving` sections."""

import json

from tensorflow_model_analysis.proto import config_pb2

from components.common.metrics import AUC, TOP_K
from components.gated_evaluator import calibration
from components.gated_evaluator.results import BASELINE, CANDIDATE, CLASS_FEATURE
from components.gated_evaluator.rules import EQUAL_IS_ENOUGH, Rules
from components.gated_evaluator.slices import BRIGHTNESS_FEATURE, SIZE_FEATURE
from components.serving_check.verdict import Budgets
from pipeline.config.gates import EvaluateSettings, ServingSettings

GATED_METRIC = "SparseCategoricalAccuracy"
EVERY_PREDICTION = [0.0]  # counts in the confusion matrix, however unsure it is
MODEL = {
    "signature_name": "serving_examples",
    "model_type": "tf_generic",
    "prediction_key": "probabilities",
    "label_key": "label",
}


def make_eval_config(settings: EvaluateSettings) -> config_pb2.EvalConfig:
    """Metrics over all eval images, by class, size and brightness; thresholds apply to all images together."""
    confident = settings.compare == "confident"
    # With `confident` the rules judge the change, because TFMA only compares the measured value.
    allowed_drop = None if confident else settings.max_accuracy_drop
    metrics = [
        _metric(GATED_METRIC, _threshold(floor=settings.min_accuracy, allowed_drop=allowed_drop)),
        _metric(
            "SparseTopKCategoricalAccuracy",
            _threshold(floor=settings.min_top_k_accuracy),
            k=settings.top_k,
            name=TOP_K,
        ),
        _metric("SparseCategoricalCrossentropy", _threshold(ceiling=settings.max_cross_entropy)),
        _metric(
            calibration.ExpectedCalibrationError.__name__,
            _threshold(ceiling=settings.max_calibration_error),
            module=calibration.__name__,
        ),
        _metric("ExampleCount"),
        _metric("MultiClassConfusionMatrixPlot", thresholds=EVERY_PREDICTION),
    ]
    options = config_pb2.Options()
    if confident:
        options.compute_confidence_intervals.value = True
        options.confidence_intervals.method = config_pb2.ConfidenceIntervalOptions.JACKKNIFE
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(name=CANDIDATE, **MODEL),
            config_pb2.ModelSpec(name=BASELINE, is_baseline=True, **MODEL),
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[key]) for key in (CLASS_FEATURE, SIZE_FEATURE, BRIGHTNESS_FEATURE)),
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(metrics=metrics),
            # A metric of two classes: each class against the others, the pairs of all classes pooled.
            config_pb2.MetricsSpec(
                metrics=[_metric("AUC", _threshold(floor=settings.min_auc), name=AUC)],
                aggregate=config_pb2.AggregationOptions(micro_average=True),
            ),
        ],
        options=options,
    )


def make_rules(settings: EvaluateSettings) -> Rules:
    """Conditions that TFMA's thresholds cannot express."""
    return Rules(
        min_recall=settings.min_class_recall,
        class_recall=dict(settings.class_recall),
        min_slice_accuracy=settings.min_slice_accuracy,
        min_examples=settings.min_class_examples,
        max_drop=settings.max_accuracy_drop,
        confidence=settings.compare == "confident",
        refuse_other_classes=settings.other_classes == "refuse",
    )


def make_budgets(settings: ServingSettings) -> Budgets:
    """Limits for serving."""
    return Budgets(
        tolerance=settings.tolerance,
        latency_ms=settings.max_latency_ms.model_dump(exclude_none=True),
        size_mb=settings.max_size_mb,
        memory_mb=settings.max_memory_mb,
    )


def _threshold(
    floor: float | None = None, ceiling: float | None = None, allowed_drop: float | None = None
) -> config_pb2.MetricThreshold:
    threshold = config_pb2.MetricThreshold()
    if floor is not None:
        threshold.value_threshold.lower_bound.value = floor
    if ceiling is not None:
        threshold.value_threshold.upper_bound.value = ceiling
    if allowed_drop is not None:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -allowed_drop - EQUAL_IS_ENOUGH
    return threshold


def _metric(
    class_name: str, threshold: config_pb2.MetricThreshold | None = None, module: str = "", **config: object
) -> config_pb2.MetricConfig:
    metric = config_pb2.MetricConfig(class_name=class_name, module=module, config=json.dumps(config) if config else "")
    if threshold is not None and threshold.ByteSize():
        # A plain `threshold` would hold for every slice, so a floor for the whole would become a floor for each class.
        overall = config_pb2.PerSliceMetricThreshold(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)
        metric.per_slice_thresholds.append(overall)
    return metric
