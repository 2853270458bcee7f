"""Whether a model is as sure as it is right, as a metric of TensorFlow Model Analysis."""

import functools
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.common.calibration_error import BINS, bin_of, expected_calibration_error
from components.common.metrics import CALIBRATION

Bins = NDArray[np.float64]


class ExpectedCalibrationError(metric_types.Metric):
    """The expected calibration error of the most probable class, over bins of equal width."""

    def __init__(self, name: str = CALIBRATION):
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(ExpectedCalibrationError)


def _computations(
    name: str, model_name: str = "", output_name: str = "", **_unused: object
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(name=name, model_name=model_name, output_name=output_name)
    combine = _Combine(key)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combine)]


class _Combine(beam.CombineFn):
    """Fills the bins of `expected_calibration_error`."""

    def __init__(self, key: metric_types.MetricKey):
        self._key = key

    def create_accumulator(self) -> Bins:
        return np.zeros((BINS, 3))

    def add_input(self, bins: Bins, element: metric_types.StandardMetricInputs) -> Bins:
        inputs = metric_util.to_label_prediction_example_weight(
            element, model_name=self._key.model_name, output_name=self._key.output_name, flatten=False
        )
        for label, probabilities, _weight in inputs:
            confidence = float(np.max(probabilities))
            right = int(np.argmax(probabilities)) == int(np.squeeze(label))
            bins[bin_of(confidence)] += (1, confidence, right)
        return bins

    def merge_accumulators(self, accumulators: Iterable[Bins]) -> Bins:
        return functools.reduce(np.add, accumulators)

    def extract_output(self, bins: Bins) -> dict[metric_types.MetricKey, float]:
        return {self._key: expected_calibration_error(bins)}
