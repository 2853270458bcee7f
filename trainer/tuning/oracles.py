"""What the tuner searches, and by which of Keras Tuner's oracles."""

import itertools
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import keras_tuner
import numpy as np

from components.common.files import write_text
from trainer.settings import TuneSettings

INTERNAL_PREFIX = "tuner/"  # of Hyperband's own keys among a trial's values
LOGARITHMIC = ("learning_rate", "head_learning_rate")
MIN_SEED = 1  # Keras Tuner takes seed 0 for "no seed"


class Proposal(TypedDict):
    """An oracle's answer when the next trial is requested: its values while it is RUNNING."""

    status: Literal["RUNNING", "IDLE", "STOPPED"]
    values: NotRequired[dict[str, float | str]]


@dataclass(frozen=True)
class SearchPlan:
    """How much a search does at most.

    Args:
      trials: of all lengths.
      epochs: of all trials together.
    """

    trials: int
    epochs: int


def objective_of(settings: TuneSettings) -> keras_tuner.Objective:
    """What trials are ranked by: the loss, which tells more of few images than the share of right answers.

    Losses under different label smoothing cannot be compared: where that is searched, it is the accuracy.
    """
    if settings.label_smoothing is not None:
        return keras_tuner.Objective("val_accuracy", "max")
    return keras_tuner.Objective("val_loss", "min")


def make_oracle(settings: TuneSettings, seed: int, defaults: Mapping[str, float]) -> "SearchOracle":
    """Keras Tuner's oracle for `settings.algorithm`.

    Args:
      settings: the ranges to search.
      seed: 0 or more; the same one proposes the same values.
      defaults: what the first trial takes, by name; brought into the range where it lies outside.
    """
    common = {
        "objective": objective_of(settings),
        "hyperparameters": make_space(settings, defaults),
        "seed": seed + MIN_SEED,
        # A range may hold values that no training survives, one after the other: that is a finding, not an end.
        "max_consecutive_failed_trials": 10**9,
    }
    if settings.algorithm == "hyperband":
        return HyperbandOracle(max_epochs=settings.epochs, **common)
    return ORACLES[settings.algorithm](max_trials=settings.trials, **common)


def make_space(settings: TuneSettings, defaults: Mapping[str, float]) -> keras_tuner.HyperParameters:
    """The ranges as Keras Tuner wants them; a grid has the lowest, the default and the highest value."""
    space = keras_tuner.HyperParameters()
    for name, (low, high) in settings.ranges.items():
        default = min(max(defaults[name], low), high)
        if low == high:
            space.Fixed(name, low)
        elif settings.algorithm == "grid":
            space.Choice(name, sorted({low, default, high}), default=default)
        else:
            sampling = "log" if name in LOGARITHMIC else "linear"
            space.Float(name, low, high, sampling=sampling, default=default)
    return space


def searched_values(values: Mapping[str, float]) -> dict[str, float]:
    """A trial's values without Hyperband's own, which mean nothing to a training."""
    return {name: value for name, value in values.items() if not name.startswith(INTERNAL_PREFIX)}


def plan_of(oracle: "SearchOracle", settings: TuneSettings) -> SearchPlan:
    """What the oracle will ask for if every trial finishes."""
    if isinstance(oracle, HyperbandOracle):
        return oracle.plan()
    trials = settings.trials
    if settings.algorithm == "grid":
        trials = min(trials, math.prod(len(list(parameter.values)) for parameter in oracle.get_space().space))
    return SearchPlan(trials, trials * settings.epochs)


class SearchOracle(keras_tuner.Oracle):
    """What Keras Tuner's oracles lack: a first trial with the default values, a time limit, files that survive.

    Attributes:
      deadline: no trial begins that would probably end after this `time.monotonic()`; None: no limit.
    """

    deadline: float | None = None
    _limited_from: tuple[float, int] | None = None  # when the first trial of this process began, and those before it

    def populate_space(self, trial_id: str) -> Proposal:
        """Proposes values, until the time is up."""
        proposal: Proposal = {"status": "STOPPED"} if self._time_is_up() else super().populate_space(trial_id)
        return proposal

    def _time_is_up(self) -> bool:
        if self.deadline is None:
            return False
        now = time.monotonic()
        began, before = self._limited_from = self._limited_from or (now, len(self.end_order))
        finished = len(self.end_order) - before
        # Workers share what finishes in a time, but each of their trials takes longer.
        seconds_per_trial = (now - began) * max(len(self.tuner_ids), 1) / max(finished, 1)
        return now + seconds_per_trial > self.deadline and bool(self.end_order)

    def _random_values(self) -> dict[str, float] | None:
        if not self.trials:  # so that the winner can be measured against what a training without tuner would take
            return {parameter.name: parameter.default for parameter in self.get_space().space}
        values: dict[str, float] | None = super()._random_values()
        return values

    def save(self) -> None:
        """Replaces the oracle's file in one go; Keras Tuner's own writing may be killed half-way."""
        write_text(self._get_oracle_fname(), json.dumps(self.get_state()))

    def _save_trial(self, trial: keras_tuner.engine.trial.Trial) -> None:
        write_text(f"{self._get_trial_dir(trial.trial_id)}/trial.json", json.dumps(trial.get_state()))

    def reload(self) -> None:
        """Resumes from the files: unfinished trials are run again, finished ones never.

        A trial's file is written before the oracle's. After a kill between the two the oracle would leave out a trial
        that had just been proposed, and repeat one that had just ended.
        """
        super().reload()
        for trial_id in self.trials.keys() - set(self.start_order):
            del self.trials[trial_id]
        for trial_id in list(self._retry_queue):
            if self.trials[trial_id].status in ("COMPLETED", "FAILED"):
                self._retry_queue.remove(trial_id)
                self.end_order.append(trial_id)


class RandomOracle(SearchOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws values at random."""


class BayesianOracle(SearchOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Draws values where a Gaussian process, fitted to the trials so far, expects the best.

    What it proposes follows from the seed and the trials so far alone, also after a kill; a corner of the space that
    looks best again is not tried twice.
    """

    def populate_space(self, trial_id: str) -> Proposal:
        """Proposes values."""
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        proposal: Proposal = super().populate_space(trial_id)
        if proposal["status"] == "RUNNING" and self._duplicate(proposal["values"]):
            proposal = self._random_populate_space()
        return proposal


class GridOracle(SearchOracle):
    """Tries the points of a grid in turn, the default values first.

    Keras Tuner's own grid loses its place when it is loaded again (its state is not saved), and lets workers wait for
    each other, because its space may grow.
    """

    def populate_space(self, trial_id: str) -> Proposal:
        """Proposes the first point that was not tried, until the time is up."""
        if self._time_is_up():
            return {"status": "STOPPED"}
        space = self.get_space().space
        choices = [[parameter.default, *(v for v in parameter.values if v != parameter.default)] for parameter in space]
        for point in itertools.product(*choices):
            values = {parameter.name: value for parameter, value in zip(space, point, strict=True)}
            if not self._duplicate(values):
                return {"status": "RUNNING", "values": values}
        return {"status": "STOPPED"}


class HyperbandOracle(SearchOracle, keras_tuner.oracles.HyperbandOracle):
    """Begins with many short trials and gives the best of them more epochs."""

    def plan(self) -> SearchPlan:
        """All rounds of all brackets."""
        rounds = [
            (self._get_size(bracket, number), self._get_epochs(bracket, number))
            for bracket in range(self._get_num_brackets())
            for number in range(self._get_num_rounds(bracket))
        ]
        return SearchPlan(sum(size for size, _ in rounds), sum(size * epochs for size, epochs in rounds))


ORACLES = {"random": RandomOracle, "bayesian": BayesianOracle, "grid": GridOracle}
