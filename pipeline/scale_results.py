"""What came of trainings: a row for each network, with the mean and the spread over its seeds."""

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.scale_question import Entrant

if TYPE_CHECKING:
    from trainer.contenders import Contender, Outcome

TABLE_FILE = "results.csv"


class NothingTrained(RuntimeError):
    """No training ended well, so there is nothing to compare."""

    def __init__(self) -> None:
        super().__init__("no training ended well in time; allow more --minutes, or lower --set train.learning_rate")


@dataclass(frozen=True)
class Row:
    """One network, trained for a number of epochs.

    Args:
      contender: the network; of what was trained elsewhere its description alone.
      epochs: of each training.
      outcomes: one for each seed.
    """

    contender: "Contender | Entrant"
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
    """The networks for which at least one training of that many epochs is done, in a folder of outcomes."""
    from trainer.contenders import read_outcome

    found = [
        [read_outcome(contender.training(seed, epochs), str(trainings)) for seed in seeds] for contender in contenders
    ]
    return make_rows(contenders, epochs, found)


def make_rows(
    networks: "Sequence[Contender | Entrant]", epochs: int, found: "Sequence[Sequence[Outcome | None]]"
) -> list[Row]:
    """The networks for which at least one training is done.

    Args:
      networks: that took part.
      epochs: of their trainings.
      found: what came of each network's trainings; None where nothing did.
    """
    rows = []
    for network, outcomes in zip(networks, found, strict=True):
        if done := tuple(outcome for outcome in outcomes if outcome is not None):
            rows.append(Row(network, epochs, done))
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
