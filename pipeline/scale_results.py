"""What came of trainings: a row for each network, with the mean and the spread over its seeds."""

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.contenders import Contender, Outcome


@dataclass(frozen=True)
class Row:
    """One network, trained for a number of epochs.

    Args:
      contender: the network.
      epochs: of each training.
      outcomes: one for each seed.
    """

    contender: "Contender"
    epochs: int
    outcomes: tuple["Outcome", ...]

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(outcome.val_accuracy for outcome in self.outcomes)

    @property
    def loss(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(outcome.val_loss for outcome in self.outcomes)

    @property
    def accuracy_spread(self) -> float:
        """Standard deviation over the seeds; 0 for one."""
        return _spread([outcome.val_accuracy for outcome in self.outcomes])

    @property
    def loss_spread(self) -> float:
        """Standard deviation over the seeds; 0 for one."""
        return _spread([outcome.val_loss for outcome in self.outcomes])

    @property
    def latency_ms(self) -> float | None:
        """Median over the seeds; None where it was not measured."""
        measured = [outcome.latency_ms for outcome in self.outcomes if outcome.latency_ms is not None]
        return statistics.median(measured) if measured else None

    @property
    def sampling_error(self) -> float:
        """Standard error of the accuracy that comes from the number of images alone."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.outcomes[0].val_images)


def rows_of(contenders: Sequence["Contender"], seeds: Sequence[int], epochs: int, trainings: Path) -> list[Row]:
    """The networks for which at least one training of that many epochs is done."""
    from trainer.contenders import read_outcome

    rows = []
    for contender in contenders:
        found = [read_outcome(contender.training(seed, epochs), str(trainings)) for seed in seeds]
        outcomes = tuple(outcome for outcome in found if outcome is not None)
        if outcomes:
            rows.append(Row(contender, epochs, outcomes))
    return rows


def total_seconds(rows: Sequence[Row]) -> float:
    """What all trainings took, one after the other, whichever calls they ran in."""
    return sum(outcome.seconds for row in rows for outcome in row.outcomes)


def csv_table(rows: Sequence[Row]) -> str:
    """One line for each training's network, epochs and seeds."""
    details = list(dict.fromkeys(name for row in rows for name in row.contender.details))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    measures = ("accuracy", "accuracy_spread", "loss", "loss_spread", "parameters", "macs", "latency_ms")
    writer.writerow(("network", "group", *details, "epochs", "seeds", *measures, "seconds", "images", "val_images"))
    for row in rows:
        first = row.outcomes[0]
        writer.writerow(
            (
                row.contender.name,
                row.contender.group,
                *(row.contender.details.get(name, "") for name in details),
                row.epochs,
                len(row.outcomes),
                *(round(number, 5) for number in (row.accuracy, row.accuracy_spread, row.loss, row.loss_spread)),
                first.parameters,
                first.macs,
                "" if row.latency_ms is None else round(row.latency_ms, 2),
                round(sum(outcome.seconds for outcome in row.outcomes), 1),
                first.images,
                first.val_images,
            )
        )
    return text.getvalue()


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
