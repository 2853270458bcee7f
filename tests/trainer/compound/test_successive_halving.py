"""A search over networks: fair, halved, killed without loss."""

from dataclasses import replace
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.digits import make_job
from trainer.compound.candidates import Candidate
from trainer.compound.forecast import Pace, Timing, training_seconds
from trainer.compound.grid import GridPoint
from trainer.compound.outcome import TrainingResult
from trainer.compound.successive_halving import completed_trials, make_rungs, search_networks, search_seconds
from trainer.fit.callbacks import TrainingDiverged
from trainer.tuning.records import read_records

# An epoch takes 10 ms a layer and 1 ms a multiply-add; to start takes 50 ms a layer.
TIMINGS = [Timing(100, 1_000, 5.0, 2.0), Timing(100, 3_000, 5.0, 4.0), Timing(400, 3_000, 20.0, 7.0)]
LOSSES = {f"n{number}": 1.0 + 0.1 * ((number * 5) % 12) for number in range(12)}  # best: n0, n5, n10, n3


class Killed(BaseException):
    """Stands for a kill: nothing in the search can catch it."""


@pytest.fixture
def candidates(tmp_path):
    job = make_job(tmp_path / "data")
    points = {name: {"alpha": 1.0 + 0.1 * number, "beta": 1.0, "gamma": 1.0} for number, name in enumerate(LOSSES)}
    return [
        Candidate(name, "grid", replace(job, config={**job.config, "model": name}), 100, 1_000 + 100 * n, points[name])
        for n, name in enumerate(LOSSES)
    ]


def run(candidates, folder, seeds=(7,), dies_after=10**9, diverging=(), deadline=None, error=None):
    """Searches with known losses instead of trainings; returns those that were asked for as (name, epochs, seed)."""
    asked = []
    by_key = {candidate.training(seed, epochs).key(): (candidate.name, epochs, seed)
              for candidate in candidates for seed in seeds for epochs in (2, 4, 8)}  # fmt: skip

    def outcome_of(job, _):
        if len(asked) == dies_after:
            raise Killed
        name, epochs, seed = by_key[job.key()]
        asked.append((name, epochs, seed))
        if name in diverging or (name, seed) in diverging:
            raise error or TrainingDiverged("the loss is nan")
        return TrainingResult(
            0.5, LOSSES[name] / epochs + 0.001 * seed, 1, 1, None, 1.0, 100, 50, 0.2, 1.6, "a processor"
        )

    rungs = make_rungs(len(candidates), 8, 3)
    with mock.patch("trainer.compound.successive_halving.outcome_of", outcome_of):
        state = (TIMINGS, str(folder / "search"), str(folder), deadline)
        while not search_networks(
            candidates, rungs, seeds, *state
        ):  # what the command does, each time in a new process
            assert len(asked) <= 42
    return asked


def test_the_better_half_goes_on_with_twice_the_epochs(candidates, tmp_path):
    asked = run(candidates, tmp_path)
    rungs = [[name for name, epochs, _ in asked if epochs == length] for length in (2, 4, 8)]
    assert rungs[0] == list(LOSSES)  # each once, in the order given
    assert sorted(rungs[1]) == sorted(sorted(LOSSES, key=LOSSES.__getitem__)[:6])
    assert sorted(rungs[2]) == sorted(sorted(LOSSES, key=LOSSES.__getitem__)[:3])
    assert len(asked) == 21


@pytest.mark.parametrize("dies_after", [5, 12, 17])
def test_a_killed_search_does_no_trial_twice(candidates, tmp_path, dies_after):
    with pytest.raises(Killed):
        run(candidates, tmp_path, dies_after=dies_after)
    rest = run(candidates, tmp_path)
    assert len(rest) == 21 - dies_after
    assert len([record for record in read_records(f"{tmp_path}/search/search") if record.status == "completed"]) == 21


def test_every_seed_counts(candidates, tmp_path):
    asked = run(candidates, tmp_path, seeds=(7, 8))
    assert len(asked) == 42
    first = read_records(f"{tmp_path}/search/search")[0]
    assert first.score == pytest.approx(LOSSES["n0"] / 2 + 0.0075)


def test_networks_that_fail_are_among_those_left_out(candidates, tmp_path):
    asked = run(candidates, tmp_path, diverging=("n0", "n10", "n4"))
    rungs = [[name for name, epochs, _ in asked if epochs == length] for length in (2, 4, 8)]
    assert [len(rung) for rung in rungs] == [12, 6, 3]
    best = [name for name in sorted(LOSSES, key=LOSSES.__getitem__) if name not in ("n0", "n10", "n4")]
    assert (sorted(rungs[1]), sorted(rungs[2])) == (sorted(best[:6]), sorted(best[:3]))


@pytest.mark.parametrize("error", [TrainingDiverged("the loss is nan"), MemoryError("no room")])
def test_what_a_network_that_fails_leaves_undone_is_no_longer_to_come(candidates, tmp_path, monkeypatch, error):
    dropped = []
    monkeypatch.setattr(Pace, "dropped", lambda pace, forecast: dropped.append(forecast))
    monkeypatch.setattr(Pace, "finished", lambda pace, forecast, seconds: None)  # which drops what it was forecast
    run(candidates, tmp_path, seeds=(7, 8), diverging=[("n0", 8)], error=error)
    assert dropped == [pytest.approx(candidates[0].seconds(TIMINGS, 2))]


def test_one_good_seed_does_not_make_a_network_the_best(candidates, tmp_path):
    asked = run(candidates, tmp_path, seeds=(7, 8), diverging=[("n0", 8)])
    assert [epochs for name, epochs, _ in asked if name == "n0"] == [2, 2]
    completed = completed_trials(f"{tmp_path}/search")
    assert len(completed) == 11 + 6 + 3
    assert (GridPoint(1.0, 1.0, 1.0), 2) not in completed  # n0


def test_no_network_is_begun_that_would_end_too_late(candidates, tmp_path):
    assert run(candidates, tmp_path, deadline=1.0) == []
    assert len(run(candidates, tmp_path)) == 21  # with time again, the same search


def test_rungs():
    assert [(rung.size, rung.epochs) for rung in make_rungs(13, 8, 3)] == [(13, 2), (7, 4), (4, 8)]
    assert [(rung.size, rung.epochs) for rung in make_rungs(13, 2, 3)] == [(13, 1), (7, 2)]
    assert [(rung.size, rung.epochs) for rung in make_rungs(3, 8, 3)] == [(3, 4), (2, 8)]
    assert [(rung.size, rung.epochs) for rung in make_rungs(2, 8, 3)] == [(2, 8)]


@given(st.integers(1, 120), st.integers(1, 60), st.integers(1, 6))
def test_every_rung_leaves_some_out_and_trains_the_others_longer(networks, epochs, count):
    rungs = make_rungs(networks, epochs, count)
    assert 1 <= len(rungs) <= count
    assert rungs[0].size == networks
    assert rungs[-1].epochs == epochs
    for before, after in pairwise(rungs):
        assert 2 <= after.size < before.size <= 2 * after.size
        assert 1 <= before.epochs < after.epochs <= 2 * before.epochs


def test_forecasts_go_by_layers_and_multiply_adds(candidates):
    assert training_seconds(TIMINGS, 100, 2_000, 5) == pytest.approx(5 + 5 * 3)
    assert training_seconds(TIMINGS, 300, 1_000, 5) == pytest.approx(15 + 5 * 4)
    assert training_seconds(TIMINGS[:1], 100, 1_000, 5) == pytest.approx(15)
    rungs = make_rungs(2, 8, 1)
    one = training_seconds(TIMINGS, 100, 1_000, 8)
    assert search_seconds(candidates[:1] * 2, rungs, 3, TIMINGS) == pytest.approx(2 * 3 * one)


def test_a_forecast_learns_from_what_trainings_really_take():
    pace = Pace(40.0)
    assert pace.seconds_left == 40
    pace.finished(10.0, 30.0)
    assert pace.seconds_left == 90  # three times as slow as thought
    pace.dropped(20.0)
    assert pace.seconds_left == 30
