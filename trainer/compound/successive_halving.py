"""Successive halving over networks: all are trained shortly, the better half for twice as long, again.

Every rung trains anew, with a schedule of its own length: what is compared has come to rest. The state lies in the
search's folder as it changes (trainer/tuning/trials.py), each single training's too (trainer/compound/trainings.py).
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras_tuner
from keras_tuner.engine.trial import Trial

from components.common.events import report_done, report_progress
from components.common.human_format import clock, counted
from trainer.compound.candidates import TRAININGS_PER_PROCESS, Candidate, count_settled
from trainer.compound.forecast import Pace, Timing
from trainer.compound.grid import PAPER, GridPoint
from trainer.compound.outcome import TrainingResult
from trainer.compound.trainings import outcome_of, read_outcome
from trainer.tuning.oracles import MIN_SEED, Proposal, SearchOracle
from trainer.tuning.records import TrialRecord, read_records
from trainer.tuning.trials import PROJECT, History, RecordedTrials

NETWORK, RUNG, EPOCHS = "network", "tuner/round", "tuner/epochs"  # of a trial; the first is what is searched
LEAST_FINALISTS = 2


@dataclass(frozen=True)
class Rung:
    """Trainings of equal length."""

    size: int  # networks
    epochs: int


def make_rungs(networks: int, epochs: int, count: int) -> list[Rung]:
    """Halves the networks and doubles the epochs from one rung to the next, the last of which has `epochs`.

    There are fewer than `count` where a rung would leave nobody out, or be no longer than the one before.
    """
    finalists = min(LEAST_FINALISTS, networks)
    halvings = math.ceil(math.log2(networks / finalists))
    last = min(count - 1, halvings, int(math.log2(epochs)))
    return [
        Rung(max(math.ceil(networks / 2**number), finalists), math.ceil(epochs / 2 ** (last - number)))
        for number in range(last + 1)
    ]


def search_seconds(
    candidates: Sequence[Candidate], rungs: Sequence[Rung], seeds: int, timings: Sequence[Timing]
) -> float:
    """Forecast of a whole search; which networks get through is unknown, so later rungs count with the mean network."""
    return sum(
        rung.size * seeds * statistics.mean(candidate.seconds(timings, rung.epochs) for candidate in candidates)
        for rung in rungs
    )


def search_pace(
    candidates: Sequence[Candidate], rungs: Sequence[Rung], seeds: Sequence[int], timings: Sequence[Timing], folder: str
) -> Pace:
    """The forecast of a search, less what a folder of outcomes already has of it, and corrected by that."""
    pace = Pace(search_seconds(candidates, rungs, len(seeds), timings))
    for rung, candidate, seed in itertools.product(rungs, candidates, seeds):
        job, forecast = candidate.training(seed, rung.epochs), candidate.seconds(timings, rung.epochs)
        count_settled(pace, job, folder, forecast)
    return pace


class HalvingOracle(SearchOracle):
    """Proposes every network for the first rung, then to each rung the best of the one before.

    Keras Tuner's Hyperband counts a trial that failed as one that is still to come, and so takes too few along.

    Args:
      names: of the networks, in the order in which they are tried.
      rungs: sizes and epochs.

    Attributes:
      may_begin: trials, until it stops for this process; None: any number.
      paused: whether it has stopped for that reason.
      seconds: forecast of a network's trial of a number of epochs, for the deadline.
    """

    may_begin: int | None = None
    paused = False

    def __init__(self, names: Sequence[str], rungs: Sequence[Rung], seed: int) -> None:
        self.names = names
        self.rungs = rungs
        self.seconds: Callable[[str, int], float] = lambda name, epochs: 0.0
        space = keras_tuner.HyperParameters()
        space.Choice(NETWORK, list(names))
        super().__init__(
            objective=keras_tuner.Objective("val_loss", "min"),
            hyperparameters=space,
            max_consecutive_failed_trials=10**9,
            seed=seed,
        )

    def populate_space(self, trial_id: str) -> Proposal:
        """Proposes a network, until none is left, the time is up, or this process has done its share."""
        proposal = self._next()
        if proposal is None:
            return {"status": "STOPPED"}
        name, rung = proposal
        epochs = self.rungs[rung].epochs
        seconds = self.seconds(name, epochs)
        if self.deadline is not None and time.monotonic() + seconds > self.deadline:
            report_done(f"the time is up: the next network would take about {clock(seconds)}")
            return {"status": "STOPPED"}
        if self.may_begin is not None:
            if not self.may_begin:
                self.paused = True
                return {"status": "STOPPED"}
            self.may_begin -= 1
        return {"status": "RUNNING", "values": {NETWORK: name, RUNG: rung, EPOCHS: epochs}}

    def _next(self) -> tuple[str, int] | None:
        """The first network of the lowest rung that lacks one."""
        candidates = list(self.names)
        for rung in range(len(self.rungs)):
            trials = {_network(trial): trial for trial in self.trials.values() if _rung(trial) == rung}
            if new := [name for name in candidates if name not in trials]:
                return new[0], rung
            # Trials run one after the other, so that all of this rung have ended.
            done = sorted((trial for trial in trials.values() if trial.status == "COMPLETED"), key=lambda t: t.score)
            following = self.rungs[rung + 1 : rung + 2]
            candidates = [_network(trial) for trial in done[: following[0].size]] if following else []
        return None


class NetworkTrials(RecordedTrials):
    """Runs the trials of a search over networks.

    Args:
      oracle: proposes them.
      directory: of this search alone.
      candidates: the networks by name.
      seeds: of each trial, whose score is their mean.
      timings: that the forecast rests on.
      folder: where the outcomes of trainings are kept.
    """

    def __init__(
        self,
        oracle: HalvingOracle,
        directory: str,
        candidates: Mapping[str, Candidate],
        seeds: Sequence[int],
        timings: Sequence[Timing],
        folder: str,
    ) -> None:
        super().__init__(oracle, directory)
        self.folder = folder
        self.candidates = candidates
        self.seeds = seeds
        self.timings = timings
        self.pace = search_pace(list(candidates.values()), oracle.rungs, seeds, timings, folder)
        oracle.seconds = lambda name, epochs: self.pace.corrected(len(seeds) * self._forecast(name, epochs))

    def values_of(self, trial: Trial) -> dict[str, float]:
        """The coefficients and the epochs."""
        return {**self.candidates[_network(trial)].details, "epochs": trial.hyperparameters.get(EPOCHS)}

    def is_default(self, values: Mapping[str, float]) -> bool:
        """Whether these are the paper's coefficients."""
        return GridPoint(values["alpha"], values["beta"], values["gamma"]) == PAPER

    def train(self, trial: Trial, record: TrialRecord, watch: History) -> TrialRecord:
        """Trains the network once for each seed."""
        candidate, epochs, rung = self.candidates[_network(trial)], int(record.values["epochs"]), _rung(trial)
        started = sum(1 for other in self.oracle.trials.values() if _rung(other) == rung)
        place = f"rung {rung + 1}/{len(self.oracle.rungs)}, {started}/{self.oracle.rungs[rung].size}: {candidate.name}"
        forecast = self._forecast(candidate.name, epochs)
        outcomes: list[TrainingResult] = []
        for seed in self.seeds:
            report_progress(f"{place}, {counted(epochs, 'epoch')}, seed {seed}")
            known = read_outcome(candidate.training(seed, epochs), self.folder)
            try:
                outcomes.append(known or outcome_of(candidate.training(seed, epochs), self.folder))
            except Exception:  # of whatever kind: what is left of this trial is not trained
                self.pace.dropped((len(self.seeds) - len(outcomes)) * forecast)
                raise
            if not known:  # which the pace has counted
                self.pace.finished(forecast, outcomes[-1].seconds)
        loss = statistics.mean(outcome.val_loss for outcome in outcomes)
        accuracy = statistics.mean(outcome.val_accuracy for outcome in outcomes)
        left = clock(self.pace.seconds_left)
        told = counted(epochs, "epoch")
        report_done(f"{place}, {told}: loss {loss:.4f}, accuracy {accuracy:.4f}; {left} left")
        return replace(record, status="completed", score=loss, history=({"val_loss": loss, "val_accuracy": accuracy},))

    def show(self, record: TrialRecord) -> None:
        """Says why a trial failed; `train` tells of the others."""
        if record.status == "failed":
            shown = ", ".join(f"{name} {value:g}" for name, value in record.values.items())
            report_done(f"left out ({shown}): {record.reason}")

    def _forecast(self, name: str, epochs: int) -> float:
        """Of one training."""
        return self.candidates[name].seconds(self.timings, epochs)


def search_networks(
    candidates: Sequence[Candidate],
    rungs: Sequence[Rung],
    seeds: Sequence[int],
    timings: Sequence[Timing],
    directory: str,
    folder: str,
    deadline: float | None,
) -> bool:
    """Runs what is left of a search, or as much of it as one process is to do.

    Args:
      candidates: the networks, in the order in which they are tried.
      rungs: sizes and epochs.
      seeds: of each trial.
      timings: that the forecast rests on.
      directory: of this search alone.
      folder: where the outcomes of trainings are kept.
      deadline: no trial begins that would probably end after this `time.monotonic()`; None: no limit.

    Returns:
      Whether the search is over.
    """
    oracle = HalvingOracle([candidate.name for candidate in candidates], rungs, seed=seeds[0] + MIN_SEED)
    oracle.deadline = deadline
    oracle.may_begin = max(TRAININGS_PER_PROCESS // len(seeds), 1)
    by_name = {candidate.name: candidate for candidate in candidates}
    NetworkTrials(oracle, directory, by_name, seeds, timings, folder).search()
    return not oracle.paused


def completed_trials(directory: str) -> set[tuple[GridPoint, int]]:
    """The networks of a search, with the epochs, that were trained with all seeds and ended well each time."""
    return {
        (GridPoint(*(record.values[name] for name in ("alpha", "beta", "gamma"))), int(record.values["epochs"]))
        for record in read_records(f"{directory}/{PROJECT}")
        if record.status == "completed"
    }


def _network(trial: Trial) -> str:
    name: str = trial.hyperparameters.get(NETWORK)
    return name


def _rung(trial: Trial) -> int:
    """Counted from 0."""
    number: int = trial.hyperparameters.get(RUNG)
    return number
