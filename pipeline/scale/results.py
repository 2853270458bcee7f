"""Results of trainings: a row for each network, with mean and spread over its seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.csv_table import csv_text
from pipeline.scale.experiment import Network
from trainer.compound.latency import HOW_MEASURED

if TYPE_CHECKING:
    from trainer.compound.candidates import Candidate
    from trainer.compound.outcome import TrainingResult

TABLE_FILE, TRAININGS_FILE = "results.csv", "trainings.csv"


class NothingTrained(RuntimeError):
    """No training succeeded, so there is nothing to compare."""

    def __init__(self) -> None:
        super().__init__("no training succeeded in time; allow more --minutes, or lower --set train.learning_rate")


@dataclass(frozen=True)
class Row:
    """One network, trained for a number of epochs.

    Args:
      candidate: the network; only its description if it was trained elsewhere.
      epochs: of each training.
      by_seed: results of the trainings that succeeded, at least one.
    """

    candidate: "Candidate | Network"
    epochs: int
    by_seed: "Mapping[int, TrainingResult]"

    @property
    def outcomes(self) -> "list[TrainingResult]":
        """One for each seed."""
        return list(self.by_seed.values())

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(outcome.val_accuracy for outcome in self.outcomes)

    @property
    def loss(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(outcome.val_loss for outcome in self.outcomes)

    @property
    def accuracy_spread(self) -> float | None:
        """Standard deviation over the seeds; None for a single one."""
        return _spread([outcome.val_accuracy for outcome in self.outcomes])

    @property
    def loss_spread(self) -> float | None:
        """Standard deviation over the seeds; None for one."""
        return _spread([outcome.val_loss for outcome in self.outcomes])

    @property
    def latency_ms(self) -> float | None:
        """The lowest of the seeds', because load only makes it higher; None if it was not measured."""
        measured = [outcome.latency_ms for outcome in self.outcomes if outcome.latency_ms is not None]
        return min(measured) if measured else None

    @property
    def guesses(self) -> bool:
        """Whether always answering the largest class is right as often."""
        return self.accuracy <= self.outcomes[0].largest_share

    @property
    def learned(self) -> bool:
        """Whether it is better than the best constant prediction, in accuracy and in loss."""
        return not self.guesses and self.loss < self.outcomes[0].constant_loss

    @property
    def sampling_error(self) -> float:
        """Standard error of the accuracy that comes from the number of images alone.

        By Agresti and Coull's estimate, two right and two wrong answers more than there were: where all are right the
        plain one would be 0.
        """
        images = self.outcomes[0].val_images + 4
        accuracy = (self.accuracy * (images - 4) + 2) / images
        return math.sqrt(accuracy * (1 - accuracy) / images)

    @property
    def error(self) -> float:
        """Standard error of the accuracy: of the images, and of the mean over the seeds where there are several."""
        return math.hypot(self.sampling_error, (self.accuracy_spread or 0.0) / math.sqrt(len(self.outcomes)))


def not_told_apart(row: Row, other: Row) -> bool:
    """Whether the accuracies differ by less than two standard errors of their difference."""
    return abs(row.accuracy - other.accuracy) < 2 * math.hypot(row.error, other.error)


def guessing(rows: Sequence[Row]) -> str:
    """Names the networks that do no better than guessing; "" if there are none."""
    names = [row.candidate.name for row in rows if row.guesses]
    if not names:
        return ""
    share = rows[0].outcomes[0].largest_share
    who = f"all {len(names)} networks" if len(names) == len(rows) > 1 else "; ".join(names)
    return (
        f"no better than always answering the largest class, which is right for {share:.4f} of the images: {who}. "
        "Such networks need more --epochs or images before they can be compared"
    )


def latency_told(rows: Sequence[Row]) -> str:
    """How the latencies were measured, and on what."""
    devices = dict.fromkeys(outcome.device for row in rows for outcome in row.outcomes)
    return f"{HOW_MEASURED} (of several seeds the lowest), after the training, on {' and '.join(devices)}"


def make_rows(
    networks: "Sequence[Candidate | Network]",
    epochs: int,
    seeds: Sequence[int],
    found: "Sequence[Sequence[TrainingResult | None]]",
) -> list[Row]:
    """The networks for which at least one training is done.

    Args:
      networks: that took part.
      epochs: of their trainings.
      seeds: of each network's trainings.
      found: what came of each network's trainings, seed by seed; None where nothing did.
    """
    rows = []
    for network, outcomes in zip(networks, found, strict=True):
        done = {seed: outcome for seed, outcome in zip(seeds, outcomes, strict=True) if outcome is not None}
        if done:
            rows.append(Row(network, epochs, done))
    return rows


def total_seconds(rows: Sequence[Row]) -> float:
    """Total time of all trainings, in whatever calls they ran; without time lost to kills."""
    return sum(outcome.seconds for row in rows for outcome in row.outcomes)


def csv_table(rows: Sequence[Row]) -> str:
    """One line for each network."""
    lines = [_line(row) for row in rows]
    return csv_text(list(lines[0]), lines)


def csv_of_trainings(rows: Sequence[Row]) -> str:
    """One line for each training."""
    lines = [
        {
            "network": row.candidate.name,
            "group": row.candidate.group,
            "epochs": row.epochs,
            "seed": seed,
            "accuracy": _rounded(outcome.val_accuracy),
            "loss": _rounded(outcome.val_loss),
            "latency_ms": _rounded(outcome.latency_ms, 2),
            "seconds": outcome.seconds,
        }
        for row in rows
        for seed, outcome in row.by_seed.items()
    ]
    return csv_text(list(lines[0]), lines)


def _line(row: Row) -> dict[str, object]:
    first = row.outcomes[0]
    return {
        "network": row.candidate.name,
        "group": row.candidate.group,
        **row.candidate.details,
        "epochs": row.epochs,
        "seeds": len(row.outcomes),
        "accuracy": _rounded(row.accuracy),
        "accuracy_spread": _rounded(row.accuracy_spread),
        "loss": _rounded(row.loss),
        "loss_spread": _rounded(row.loss_spread),
        "parameters": first.parameters,
        "macs": first.macs,
        "latency_ms": _rounded(row.latency_ms, 2),
        "seconds": _rounded(total_seconds([row]), 1),
        "images": first.images,
        "val_images": first.val_images,
    }


def _rounded(number: float | None, digits: int = 5) -> float | None:
    return None if number is None else round(number, digits)


def _spread(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None
