"""What the report says, as plain values: everything is text or a number, nothing is escaped yet.

A part that a run never came to is None. Figures are SVG elements as `plots` makes them, the only values of markup.
"""

from dataclasses import dataclass, field

from markupsafe import Markup

from components.common.metrics import Metric
from components.gated_evaluator.slices import Slice

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class RunOutcome:
    """How the run ended.

    Attributes:
        good: whether a model was pushed.
        headline: in a few words.
        reasons: why it ended so, a line each.
        notes: what else is worth knowing, a line each.
    """

    good: bool
    headline: str
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MetricRow:
    """A metric over all eval images: this model's value, the served model's if there was one, and the limit set."""

    metric: Metric
    value: float
    served: float | None
    limit: str


@dataclass(frozen=True)
class Comparison:
    """The model beside the one that was served.

    Attributes:
        version: the served version; "" if there was none.
        metrics: of both.
        settings: (name, served model's value, this model's value) of what was set otherwise.
        classes: (class, served model's recall, this model's recall), those that changed most first.
    """

    version: str
    metrics: list[MetricRow]
    settings: list[tuple[str, str, str]]
    classes: list[tuple[str, float, float]]


@dataclass(frozen=True)
class Picture:
    """An image, as a data URI; `source` is "" where it cannot be shown."""

    source: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class DataSection:
    """What was trained and judged on.

    Attributes:
        facts: counts.
        warnings: what a person should look at.
        classes: (class, images by split in the order of `splits`).
        splits: their names.
        samples: (class, training images).
        quarantine: the first files that were left out.
        quarantined: reason -> files.
        distributions: how the classes are filled, and what the images are like beside the served model's.
        drift: (feature, divergence from the served model's images, limit); empty if nothing is served.
        statistics: (split, facts from TFDV).
        anomalies: what ExampleValidator found.
    """

    facts: Facts
    warnings: list[str]
    splits: list[str]
    classes: list[tuple[str, list[int]]]
    samples: list[tuple[str, list[Picture]]]
    quarantine: list[Picture]
    quarantined: dict[str, int]
    distributions: list[Markup]
    drift: list[tuple[str, float, float | None]]
    statistics: list[tuple[str, Facts]]
    anomalies: list[str]


@dataclass(frozen=True)
class TrainingSection:
    """How the weights came about."""

    facts: Facts
    figures: list[Markup]


@dataclass(frozen=True)
class TuningSection:
    """What was searched; a table as `trials.csv` has it, and its figures as data URIs."""

    facts: Facts
    columns: list[str]
    trials: list[list[str]]
    figures: list[Picture]


@dataclass(frozen=True)
class ClassRow:
    """A class in the eval split; None where nothing can be said."""

    name: str
    images: int
    recall: float
    precision: float | None
    served_recall: float | None


@dataclass(frozen=True)
class EvaluationSection:
    """How the model answered the eval images.

    Attributes:
        classes: the weakest first.
        confused: (class, taken for, images).
        figures: confusion matrix, calibration, confidence.
        slices: by size and brightness, as the gate sees them.
        looked_at: (images that calibration and mistakes are of, eval images).
        known: how sure the model is and what it knows; empty without serving.known_precision.
    """

    classes: list[ClassRow]
    confused: list[tuple[str, str, int]]
    figures: list[Markup]
    slices: list[Slice]
    looked_at: tuple[int, int]
    known: Facts = field(default_factory=list)


@dataclass(frozen=True)
class Mistake:
    """An eval image that the model took for another class, and where it looked."""

    path: str
    actual: str
    predicted: str
    confidence: float
    seen: str
    heat: str


@dataclass(frozen=True)
class ServingSection:
    """What ServingCheck saw."""

    facts: Facts
    problems: list[str]


@dataclass(frozen=True)
class LineageSection:
    """What made the model, and how to make it again."""

    facts: Facts
    artifacts: Facts
    commands: list[tuple[str, str]]
    configuration: str


@dataclass(frozen=True)
class ScheduledAttempt:
    """An earlier attempt of the schedule: when it was due, on which spans, what it came to and served then."""

    due: str
    spans: str
    verdict: str
    why: str
    served: str


@dataclass(frozen=True)
class Report:
    """The whole report."""

    name: str
    created: str
    outcome: RunOutcome
    comparison: Comparison | None = None
    data: DataSection | None = None
    training: TrainingSection | None = None
    tuning: TuningSection | None = None
    evaluation: EvaluationSection | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    serving: ServingSection | None = None
    schedule: list[ScheduledAttempt] = field(default_factory=list)
    lineage: LineageSection | None = None
