"""Successive halving over networks, by Keras Tuner: all are trained shortly, the better half for twice as long, again.

Every rung trains anew, with a schedule of its own length: what is compared has come to rest. The state lies in the
search's folder as it changes (trainer/trials.py), each single training's too (trainer/contenders.py).
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from trainer.contenders import TRAININGS_PER_PROCESS, Contender, Outcome, outcome_of
from trainer.forecast import Pace, Timing, clock, training_seconds
from trainer.progress import DONE, PROGRESS
from trainer.scaling_grid import PAPER, GridPoint
from trainer.search_space import MIN_SEED, HyperbandOracle
from trainer.trial_records import TrialRecord
from trainer.trials import History, RecordedTrials

NETWORK = "network"  # the one thing that is searched
LEAST_FINALISTS = 2


@dataclass(frozen=True)
class Rung:
    """Trainings of equal length."""

    size: int  # networks
    epochs: int


def make_rungs(networks: int, epochs: int, count: int) -> list[Rung]:
    """Halves the networks and doubles the epochs from one rung to the next, the last of which has `epochs`."""
    rungs = []
    for number in range(count):
        size = max(math.ceil(networks / 2**number), min(LEAST_FINALISTS, networks))
        rungs.append(Rung(size, max(math.ceil(epochs / 2 ** (count - 1 - number)), 1)))
    return rungs


def search_seconds(
    contenders: Sequence[Contender], rungs: Sequence[Rung], seeds: int, timings: Sequence[Timing]
) -> float:
    """Forecast of a whole search; who comes through is not known, so later rungs count with the mean network."""
    macs = round(statistics.mean(contender.macs for contender in contenders))
    return sum(rung.size * seeds * training_seconds(timings, macs, rung.epochs) for rung in rungs)


class HalvingOracle(HyperbandOracle):
    """One bracket of Hyperband, of given rungs, that begins with every network in turn.

    Args:
      names: of the networks.
      rungs: sizes and epochs.

    Attributes:
      may_begin: trials, until it stops for this process; None: any number.
      paused: whether it has stopped for that reason.
    """

    may_begin: int | None = None
    paused = False

    def __init__(self, names: Sequence[str], rungs: Sequence[Rung], **common: Any) -> None:
        self.names = names
        self.rungs = rungs
        space = keras_tuner.HyperParameters()
        space.Choice(NETWORK, list(names))
        super().__init__(
            objective=keras_tuner.Objective("val_loss", "min"),
            hyperparameters=space,
            max_epochs=rungs[-1].epochs,
            max_consecutive_failed_trials=10**9,
            **common,
        )

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Proposes a network, until the time is up or this process has done its share."""
        if self.may_begin == 0:
            self.paused = True
            return {"status": "STOPPED"}
        proposal = super().populate_space(trial_id)
        if self.may_begin is not None and proposal["status"] == "RUNNING":
            self.may_begin -= 1
        return proposal

    def _random_values(self) -> dict[str, Any] | None:
        tried = {trial.hyperparameters.get(NETWORK) for trial in self.trials.values()}
        return next(({NETWORK: name} for name in self.names if name not in tried), None)

    def _get_num_brackets(self) -> int:
        return 1

    def _get_num_rounds(self, bracket_num: int) -> int:
        return len(self.rungs)

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        return self.rungs[round_num].size

    def _get_epochs(self, bracket_num: int, round_num: int) -> int:
        return self.rungs[round_num].epochs


class NetworkTrials(RecordedTrials):
    """Runs the trials of a search over networks.

    Args:
      oracle: proposes them.
      directory: of this search alone.
      contenders: the networks by name.
      seeds: of each trial, whose score is their mean.
      pace: of the search.
      timings: that the forecast rests on.
      folder: where the outcomes of trainings are kept.
    """

    def __init__(
        self,
        oracle: HalvingOracle,
        directory: str,
        contenders: Mapping[str, Contender],
        seeds: Sequence[int],
        pace: Pace,
        timings: Sequence[Timing],
        folder: str,
    ) -> None:
        super().__init__(oracle, directory)
        self.folder = folder
        self.contenders = contenders
        self.seeds = seeds
        self.pace = pace
        self.timings = timings
        for trial in oracle.trials.values():  # of an earlier process
            if trial.status in ("COMPLETED", "FAILED"):
                pace.left -= self._forecast(trial)

    def values_of(self, trial: Trial) -> dict[str, float]:
        """The coefficients and the epochs."""
        contender = self._contender(trial)
        return {**contender.details, "epochs": trial.hyperparameters.get("tuner/epochs")}

    def is_default(self, values: Mapping[str, float]) -> bool:
        """Whether these are the paper's coefficients."""
        return GridPoint(values["alpha"], values["beta"], values["gamma"]) == PAPER

    def train(self, trial: Trial, record: TrialRecord, watch: History) -> TrialRecord:
        """Trains the network once for each seed."""
        contender, epochs = self._contender(trial), int(record.values["epochs"])
        rung = trial.hyperparameters.get("tuner/round") + 1
        started = sum(1 for other in self.oracle.trials.values() if _rung(other) == rung)
        place = f"rung {rung}/{len(self.oracle.rungs)}, {started}/{self.oracle.rungs[rung - 1].size}: {contender.name}"
        outcomes: list[Outcome] = []
        for seed in self.seeds:
            PROGRESS.info("%s, %d epochs, seed %d", place, epochs, seed)
            outcomes.append(outcome_of(contender.training(seed, epochs), self.folder))
        self.pace.finished(self._forecast(trial))
        loss = statistics.mean(outcome.val_loss for outcome in outcomes)
        accuracy = statistics.mean(outcome.val_accuracy for outcome in outcomes)
        left = clock(self.pace.seconds_left())
        DONE.info("%s, %d epochs: loss %.4f, accuracy %.4f; %s left", place, epochs, loss, accuracy, left)
        return replace(record, status="completed", score=loss, history=({"val_loss": loss, "val_accuracy": accuracy},))

    def show(self, record: TrialRecord) -> None:
        """Says why a trial failed; `train` tells of the others."""
        if record.status == "failed":
            shown = ", ".join(f"{name} {value:g}" for name, value in record.values.items())
            DONE.info("left out (%s): %s", shown, record.reason)

    def _contender(self, trial: Trial) -> Contender:
        return self.contenders[trial.hyperparameters.get(NETWORK)]

    def _forecast(self, trial: Trial) -> float:
        epochs = trial.hyperparameters.get("tuner/epochs")
        return len(self.seeds) * training_seconds(self.timings, self._contender(trial).macs, epochs)


def search_networks(
    contenders: Sequence[Contender],
    rungs: Sequence[Rung],
    seeds: Sequence[int],
    timings: Sequence[Timing],
    directory: str,
    folder: str,
    deadline: float | None,
) -> bool:
    """Runs what is left of a search, or as much of it as one process is to do.

    Args:
      contenders: the networks, in the order in which they are tried.
      rungs: sizes and epochs.
      seeds: of each trial.
      timings: that the forecast rests on.
      directory: of this search alone.
      folder: where the outcomes of trainings are kept.
      deadline: no trial begins that would probably end after this `time.time()`; None: no limit.

    Returns:
      Whether the search is over.
    """
    oracle = HalvingOracle([contender.name for contender in contenders], rungs, seed=seeds[0] + MIN_SEED)
    oracle.deadline = deadline
    oracle.may_begin = max(TRAININGS_PER_PROCESS // len(seeds), 1)
    pace = Pace(search_seconds(contenders, rungs, len(seeds), timings))
    by_name = {contender.name: contender for contender in contenders}
    NetworkTrials(oracle, directory, by_name, seeds, pace, timings, folder).search()
    return not oracle.paused


def _rung(trial: Trial) -> int:
    return trial.hyperparameters.get("tuner/round") + 1
