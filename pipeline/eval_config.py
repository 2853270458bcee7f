"""The gate's thresholds, as TensorFlow Model Analysis understands them."""

import tensorflow_model_analysis as tfma

from pipeline.config import EvaluateSettings

CANDIDATE, BASELINE = "candidate", "baseline"
GATED_METRIC = "SparseCategoricalAccuracy"
GATED_METRIC_NAME = "sparse_categorical_accuracy"  # as it stands in results
METRICS = (GATED_METRIC, "SparseCategoricalCrossentropy", "ExampleCount")
CONFUSION_MATRIX = '{"thresholds": [0.0]}'  # every prediction counts, however unsure
# TFMA asks for a change strictly above the bound; an equal model must pass a bound of zero.
EQUAL_IS_ENOUGH = 1e-6


def make_eval_config(settings: EvaluateSettings) -> tfma.EvalConfig:
    """Accuracy above a floor, and not below the served model's by more than the allowed drop, on all eval images."""
    accuracy = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": settings.min_accuracy}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
            absolute={"value": -settings.max_accuracy_drop - EQUAL_IS_ENOUGH},
        ),
    )
    # A plain `threshold` would hold for every slice, so a floor for the whole would become a floor for each class.
    overall = tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=accuracy)
    metrics = [tfma.MetricConfig(class_name=name) for name in METRICS]
    metrics[METRICS.index(GATED_METRIC)].per_slice_thresholds.append(overall)
    metrics.append(tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot", config=CONFUSION_MATRIX))
    model = {
        "signature_name": "serving_examples",
        "model_type": "tf_generic",
        "prediction_key": "probabilities",
        "label_key": "label",
    }
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(name=CANDIDATE, **model),
            tfma.ModelSpec(name=BASELINE, is_baseline=True, **model),
        ],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["class_name"])],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )
