"""The metrics of a model on the eval images: one row for each, for gate, summary, report, card and history.

Names are Keras' and TFMA's; labels are what people read, as in the settings and the guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ACCURACY, EXAMPLES, AUC = "sparse_categorical_accuracy", "example_count", "auc"
TOP_K, CROSS_ENTROPY, CALIBRATION = "top_k_accuracy", "sparse_categorical_crossentropy", "expected_calibration_error"


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
      name: in files.
      label: human-readable.
      better: which values are; None: neither.
      format: of a value, as `format` takes it.
      setting: in the section `evaluate`, its bound for a push; None: it has none.
    """

    name: str
    label: str
    better: Literal["higher", "lower"] | None
    format: str = ".4f"
    setting: str | None = None

    def text(self, value: float) -> str:
        """A value as people read it."""
        return format(value, self.format)


METRICS = {
    metric.name: metric
    for metric in (
        Metric(ACCURACY, "accuracy", "higher", setting="min_accuracy"),
        Metric(TOP_K, "top-k accuracy", "higher", setting="min_top_k_accuracy"),
        Metric(CROSS_ENTROPY, "cross entropy", "lower", setting="max_cross_entropy"),
        Metric(CALIBRATION, "calibration error", "lower", setting="max_calibration_error"),
        Metric(AUC, "AUC", "higher", setting="min_auc"),
        Metric(EXAMPLES, "eval images", None, ",.0f"),
    )
}
CHANGE = "_diff"  # ends the name of a metric's change against the served model


def metric_of(name: str) -> Metric:
    """The metric of that name; one that the table lacks is called by its name."""
    return METRICS.get(name) or Metric(name, name, None)


def in_order(values: Mapping[str, float]) -> list[tuple[Metric, float]]:
    """The values of a model with their metrics, in the table's order, those that it lacks last; without changes."""
    known = list(METRICS)
    names = [name for name in values if not name.endswith(CHANGE)]
    names.sort(key=lambda name: (known.index(name) if name in METRICS else len(known), name))
    return [(metric_of(name), values[name]) for name in names]
