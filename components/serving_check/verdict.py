"""Whether a model that answers may be served: its answers, its speed, its size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypedDict

BATCH_SIZES = (1, 32)
LARGEST_PHOTO_DIFFERENCE = 3.0  # two JPEG decoders differ by less than one level on average


class ProbeAnswers(TypedDict):
    """What a model answered to images, an entry an image."""

    probabilities: list[list[float]]
    class_id: list[int]
    class_name: list[str]


class ProbeReport(TypedDict):
    """What the probe prints."""

    answers: ProbeAnswers
    pairs: list[float | str]  # mean difference in levels of 255, or why there is none
    latency_ms: dict[str, list[float]]  # of each request, by batch size
    memory_mb: float


@dataclass(frozen=True)
class Budgets:
    """What serving may cost.

    Attributes:
        tolerance: largest difference of a probability from the trainer's own.
        latency_ms: most milliseconds, by `p50_batch_1`, `p99_batch_1`, `p50_batch_32`, `p99_batch_32`.
        size_mb: most megabytes (1e6 bytes) of the SavedModel; None: any.
        memory_mb: most megabytes of a process that serves it; None: any.
    """

    tolerance: float = 1e-5
    latency_ms: dict[str, float] = field(default_factory=dict)
    size_mb: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class Measured:
    """What was seen of a model in a process of its own.

    Attributes:
        images: raw images that were sent.
        difference: largest difference of a probability from the trainer's own; None if there was nothing to compare.
        latency_ms: by the names of `Budgets.latency_ms`.
        size_mb: of the SavedModel.
        memory_mb: of the process.
        photos: by the kind of an odd photo, how far what the network sees of it is from the ingested one, in levels of
            255 on average, or why that is not known.
    """

    images: int
    difference: float | None
    latency_ms: dict[str, float]
    size_mb: float
    memory_mb: float
    photos: dict[str, float | str] = field(default_factory=dict)


def summarise(times_ms: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Returns median and 99th percentile of the requests of each batch size.

    Args:
        times_ms: milliseconds of each request, by batch size.
    """
    latency = {}
    for size, times in times_ms.items():
        ordered = sorted(times)
        latency[f"p50_batch_{size}"] = median(ordered)
        latency[f"p99_batch_{size}"] = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return latency


def largest_difference(answers: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> float:
    """Returns the largest difference between two lists of probabilities; infinite if their shapes differ."""
    if [len(row) for row in answers] != [len(row) for row in expected] or not expected:
        return math.inf
    pairs = [pair for row in zip(answers, expected, strict=True) for pair in zip(*row, strict=True)]
    differences = [abs(answer - wanted) for answer, wanted in pairs]
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def find_answer_problems(answers: ProbeAnswers, classes: Sequence[str] | None) -> list[str]:
    """Says what is wrong with answers as the probe reports them; nothing is wrong with an empty list."""
    problems = []
    columns = answers["probabilities"], answers["class_id"], answers["class_name"]
    for probabilities, class_id, class_name in zip(*columns, strict=True):
        if not math.isclose(sum(probabilities), 1.0, abs_tol=1e-3) or not all(0 <= p <= 1 for p in probabilities):
            problems.append(f"invalid probabilities: {[round(p, 4) for p in probabilities[:5]]}")
        elif probabilities[class_id] != max(probabilities):
            problems.append(f"class_id {class_id}, which is not the most probable class")
        elif classes is not None and (len(probabilities) != len(classes) or class_name != classes[class_id]):
            problems.append(f"class {class_name} as number {class_id}, unlike the model's own list")
    return problems[:1]


def judge(measured: Measured, budgets: Budgets) -> list[str]:
    """Returns a line for each budget that was exceeded."""
    problems = []
    if measured.difference is None:
        problems.append("the trainer left no answers to compare with")
    elif not measured.difference <= budgets.tolerance:
        problems.append(
            f"answers differ from the trainer's by {measured.difference:.2g}, more than serving.tolerance "
            f"{budgets.tolerance:.2g}"
        )
    for kind, difference in measured.photos.items():
        if isinstance(difference, str):
            problems.append(f"the model cannot read {kind}, although the ingest can: {difference}")
        elif not difference <= LARGEST_PHOTO_DIFFERENCE:
            problems.append(
                f"the model sees {kind} differently from the ingest: {difference:.1f} levels of 255 apart on average"
            )
    limits = {
        **{f"max_latency_ms.{name}": (measured.latency_ms[name], most) for name, most in budgets.latency_ms.items()},
        "max_size_mb": (measured.size_mb, budgets.size_mb),
        "max_memory_mb": (measured.memory_mb, budgets.memory_mb),
    }
    for name, (value, most) in limits.items():
        if most is not None and not value <= most:
            problems.append(f"serving.{name} is {value:.4g}, above {most:g}")
    return problems
