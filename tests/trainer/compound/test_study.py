"""A study goes through all networks and seeds, and neither a kill nor a failure makes it begin again."""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import tensorflow as tf

from tests.trainer.digits import make_job
from trainer.compound import trainings
from trainer.compound.candidates import Candidate
from trainer.compound.forecast import Timing
from trainer.compound.study import study_networks, trainings_left
from trainer.compound.trainings import read_outcome
from trainer.fit.callbacks import TrainingDiverged
from trainer.recipes import RECIPES

NAMES = [f"n{number}" for number in range(12)]


class Known:
    """Stands for a training, which takes no time and whose accuracy is known.

    n3 has no finite loss, n5 needs more memory than there is.
    """

    asked: list[tuple[str, int]]
    dies_after = 10**9

    def __init__(self, job, *_):
        self.job = job

    def run(self):
        name = self.job.config["model"]
        if len(self.asked) == self.dies_after:
            raise KeyboardInterrupt
        self.asked.append((name, self.job.seed))
        if name == "n3":
            raise TrainingDiverged("the loss is nan")
        if name == "n5":
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        self.result = {"val_accuracy": 0.5, "val_loss": 1.0}
        split = mock.Mock(num_examples=100, class_counts=(60, 40))
        self.setup = mock.Mock(train_split=split, val_split=split, recipe=RECIPES["quick"])
        return mock.Mock(count_params=lambda: 7)

    def finish(self):
        pass


@pytest.fixture
def study(tmp_path, monkeypatch):
    job = make_job(tmp_path / "data")
    networks = [
        Candidate(name, "way", replace(job, config={**job.config, "model": name, "latency": False}), 100, 1_000)
        for name in NAMES
    ]
    monkeypatch.setattr(trainings, "Training", Known)
    monkeypatch.setattr(trainings, "setup_of", lambda job: None)
    monkeypatch.setattr(trainings, "rates_of", lambda job: {})
    monkeypatch.setattr(trainings, "built_macs", lambda model: 1_000)
    monkeypatch.setattr(trainings, "forget_networks", lambda: None)
    folder = tmp_path / "kept"
    folder.mkdir()

    def run(deadline=None, dies_after=10**9):
        Known.asked, Known.dies_after = [], dies_after
        while not study_networks(networks, [7, 8], [Timing(100, 1_000, 5.0, 1.0)], str(folder), deadline):
            assert len(Known.asked) < 30
        return Known.asked

    run.path = lambda name: folder / f"{networks[NAMES.index(name)].training(7, 3).key()}.json"
    run.left = lambda: trainings_left(networks, [7, 8], [Timing(100, 1_000, 5.0, 1.0)], str(folder))
    run.outcomes = lambda: [read_outcome(network.training(7, 3), str(folder)) for network in networks]
    return run


def test_all_networks_are_trained_with_one_seed_and_then_with_the_next(study):
    assert study() == [(name, seed) for seed in (7, 8) for name in NAMES]
    assert [outcome is None for outcome in study.outcomes()] == [name in ("n3", "n5") for name in NAMES]
    assert study() == []


def test_what_is_left_out_is_told_with_the_reason_and_the_way_back(study, caplog):
    caplog.set_level("INFO", logger="effnet.events")
    study()
    told = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    whose = ["4/24 n3, seed 7", "6/24 n5, seed 7", "16/24 n3, seed 8", "18/24 n5, seed 8"]
    assert [line.partition(":")[0] for line in told] == whose
    assert "the loss is nan" in told[0]
    lost = told[1].rpartition(" ")[2]
    assert "out of memory; to try again, delete" in told[1]
    Path(lost).unlink()
    assert study() == [("n5", 7)]


def test_what_is_left_is_forecast_by_how_long_the_others_took(study):
    with pytest.raises(KeyboardInterrupt):
        study(dies_after=10)
    left, pace = study.left()
    assert [number for number, _, _ in left] == list(range(11, 25))
    assert pace.done == pytest.approx(8 * (5 + 3))  # two of the ten were left out
    assert pace.left == pytest.approx(14 * 8)
    study()
    Path(study.path("n4")).unlink()  # one that was done before others that are done
    left, pace = study.left()
    assert [number for number, _, _ in left] == [5]
    assert pace.left == pytest.approx(8)


def test_a_killed_study_goes_on(study):
    with pytest.raises(KeyboardInterrupt):
        study(dies_after=10)
    assert study() == [(name, seed) for seed in (7, 8) for name in NAMES][10:]


def test_nothing_is_begun_that_would_end_too_late(study):
    assert study(deadline=1.0) == []
