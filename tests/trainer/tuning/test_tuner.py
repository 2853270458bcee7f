"""What a user relies on in a search: honest, repeatable, its own images, killed without loss."""

import csv
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.search_digits import (
    Shortcut,
    run_search,
    search_leisurely,
    search_leisurely_and_impatiently,
    tiny_networks,
    tuning_job,
)
from trainer.fit.process import TrainingProcessDied
from trainer.tuner import NoTrialFinished, SearchElsewhere
from trainer.tuning.oracles import plan_of
from trainer.tuning.parallel import ChiefMissing, members
from trainer.tuning.records import read_record, read_records, write_record
from trainer.tuning.shared_network import Study

pytestmark = pytest.mark.network

ROOT = Path(__file__).resolve().parents[3]
# A search again gives the same score but for the order in which threads sum gradients.
REPEATED = 2e-3


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A random search with seed 0 over all that can be searched: the job and the tuner."""
    job = tuning_job(
        tmp_path_factory.mktemp("searched"),
        trials=4,
        epochs=2,
        learning_rate=(0.001, 0.01),
        randaugment_magnitude=(5, 15),
        train={"augment": {"randaugment_layers": 1}},
    )
    return job, run_search(job)


def test_the_first_trial_takes_the_defaults_and_the_winner_is_the_best(searched):
    _, tuner = searched
    records, ranking = tuner.records(), tuner.ranking()
    assert [record.is_default for record in records] == [True, False, False, False]
    assert records[0].values == pytest.approx(
        {"dropout_rate": 0.2, "drop_connect_rate": 0.2, "learning_rate": 0.003, "randaugment_magnitude": 10}
    )
    assert ranking[0].score == min(record.score for record in ranking)
    (best,) = tuner.get_best_hyperparameters()
    assert best.get_config()["values"] == ranking[0].values


def test_the_same_seed_gives_the_same_trials_and_winner(searched, tmp_path):
    _, tuner = searched
    again = run_search(
        tuning_job(
            tmp_path,
            trials=4,
            epochs=2,
            learning_rate=(0.001, 0.01),
            randaugment_magnitude=(5, 15),
            train={"augment": {"randaugment_layers": 1}},
        )
    )
    for one, other in zip(tuner.records(), again.records(), strict=True):
        assert one.values == other.values
        assert one.status == other.status
        assert one.score == pytest.approx(other.score, rel=REPEATED)
    assert again.ranking()[0].trial == tuner.ranking()[0].trial


def test_a_network_built_afresh_scores_what_the_trial_did(searched):
    job, tuner = searched
    winner = tuner.ranking()[0]
    with tiny_networks():
        study = Study(job, job.tune_settings)
    fresh = study.train(winner.values, 2, [])
    assert fresh["val_loss"][-1] == pytest.approx(winner.score, rel=REPEATED)


def test_trials_are_ranked_on_images_of_train_that_no_trial_trains_on(tmp_path):
    job = tuning_job(tmp_path, data_fraction=1.0, val_fraction=0.25)
    Path(job.val_files[0]).write_bytes(b"the val split is not looked at")
    with tiny_networks():
        study = Study(job, job.tune_settings)
        other_seed = Study(tuning_job(tmp_path / "b", seed=1, val_fraction=0.25), study.settings)

    def images(batches) -> set[bytes]:
        return {image.tobytes() for batch in batches for image in batch[0].numpy().astype(np.uint8)}

    ranked_on = images(study.val_batches)
    trained_on = images(study._batches(0.0, 10.0))
    assert not ranked_on & trained_on
    assert 0.15 < len(ranked_on) / 400 < 0.35
    assert ranked_on != images(other_seed.val_batches)


class Troubled(Shortcut):
    """Its first trial runs out of memory, its second ends in NaN."""

    calls = 0

    def train(self, values, epochs, callbacks):
        self.calls += 1
        if self.calls == 1:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nmore lines")
        losses = super().train(values, epochs, callbacks)
        if self.calls == 2:
            callbacks[1].epochs[-1]["val_loss"] = float("nan")
        return losses


class Failing(Shortcut):
    error: Exception = MemoryError("no room")

    def train(self, values, epochs, callbacks):
        raise self.error


class Buggy(Failing):
    error = TypeError("a bug")


def test_a_trial_that_diverges_or_lacks_memory_fails_with_its_reason_and_never_wins(tmp_path):
    tuner = run_search(tuning_job(tmp_path), Troubled)
    records = tuner.records()
    assert [record.status for record in records] == ["failed", "failed", "completed"]
    assert records[0].reason == "OOM when allocating tensor"
    assert "val_loss is nan" in records[1].reason
    assert tuner.get_best_hyperparameters()[0].values == records[2].values
    assert len(tuner.ranking()) == 1


def test_a_search_without_a_finished_trial_is_set_aside_and_a_later_run_begins_anew(tmp_path):
    job = tuning_job(tmp_path, trials=5)
    with pytest.raises(NoTrialFinished, match="none of 5 trials finished; the first reason: no room") as refusal:
        run_search(job, Failing)
    (aside,) = (Path(job.checkpoint_root) / "superseded").iterdir()
    assert str(refusal.value).endswith(str(aside))
    assert [record.reason for record in read_records(str(aside / "search"))] == ["no room"] * 5
    assert len(run_search(job, Shortcut).ranking()) == 5


def test_an_error_of_the_program_is_no_failed_trial(tmp_path):
    with pytest.raises(keras_tuner.errors.FatalError, match="a bug"):
        run_search(tuning_job(tmp_path), Buggy)


def test_a_trial_that_kills_its_process_again_and_again_is_given_up(tmp_path):
    job = tuning_job(tmp_path)
    with pytest.raises(keras_tuner.errors.FatalError):
        run_search(job, Buggy)
    folder = SearchElsewhere(job, "unused").project_dir + "/trial_0"
    write_record(folder, replace(read_record(folder), attempts=3))
    records = run_search(job, Shortcut).records()
    assert [record.status for record in records] == ["failed", "completed", "completed"]
    assert "killed in each of 3 attempts" in records[0].reason


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "grid", "hyperband"])
def test_every_algorithm_ends_with_a_winner_that_the_trainer_can_take(tmp_path, algorithm):
    job = tuning_job(tmp_path, algorithm=algorithm, trials=6, epochs=4, dropout_rate=(0.0, 0.4))
    tuner = run_search(job, Shortcut)
    planned = plan_of(tuner.oracle, tuner.settings)
    records = tuner.records()
    assert len(records) == planned.trials == tuner.oracle.max_trials
    assert len(records) == (6 if algorithm != "hyperband" else planned.trials)
    assert records[0].is_default
    (best,) = tuner.get_best_hyperparameters()
    assert set(best.get_config()["values"]) == {"dropout_rate", "drop_connect_rate"}
    assert tuner.ranking()[0].score == min(record.score for record in tuner.ranking())
    again = run_search(tuning_job(tmp_path / "again", **tuner.settings.model_dump()), Shortcut)
    assert [record.values for record in again.records()] == [record.values for record in records]


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "grid", "hyperband"])
def test_a_search_that_broke_off_ends_as_one_that_did_not(tmp_path, algorithm):
    class BreaksOff(Shortcut):
        calls = 0

        def train(self, values, epochs, callbacks):
            self.calls += 1
            if self.calls == 8:
                raise TypeError("a bug")
            return super().train(values, epochs, callbacks)

    settings = {"algorithm": algorithm, "trials": 9, "epochs": 4, "stop_hopeless": False}
    with pytest.raises(keras_tuner.errors.FatalError):
        run_search(tuning_job(tmp_path / "broken", **settings), BreaksOff)
    after = run_search(tuning_job(tmp_path / "broken", **settings), Shortcut)
    whole = run_search(tuning_job(tmp_path / "whole", **settings), Shortcut)
    # SciPy's minimiser, which proposes the Bayesian trials, repeats itself to the sixth digit only.
    assert [record.values for record in after.records()] == [
        pytest.approx(record.values, rel=1e-4) for record in whole.records()
    ]
    assert [record.score for record in after.records()] == pytest.approx(
        [record.score for record in whole.records()], rel=1e-4
    )


def test_a_trial_that_was_proposed_but_not_noted_is_proposed_again(tmp_path):
    job = tuning_job(tmp_path, trials=5)
    tuner = run_search(job, Shortcut)
    oracle, last = Path(tuner.project_dir, "oracle.json"), Path(tuner.project_dir, "trial_4")
    noted = run_search(tuning_job(tmp_path / "fewer", trials=4), Shortcut)
    oracle.write_bytes(Path(noted.project_dir, "oracle.json").read_bytes())
    (last / "record.json").unlink()
    (last / "trial.json").write_text((last / "trial.json").read_text().replace("COMPLETED", "RUNNING"))
    again = run_search(job, Shortcut).records()
    assert [record.status for record in again] == ["completed"] * 5
    assert [record.values for record in again] == [record.values for record in tuner.records()]


def test_what_the_user_decided_is_not_searched(tmp_path):
    train = {"dropout_rate": 0.35, "learning_rate": 0.002}
    tuner = run_search(tuning_job(tmp_path, learning_rate=(0.001, 0.01), train=train), Shortcut)
    assert all(record.values.keys() == {"dropout_rate", "drop_connect_rate"} for record in tuner.records())
    assert {record.values["dropout_rate"] for record in tuner.records()} == {0.35}
    assert len({record.values["drop_connect_rate"] for record in tuner.records()}) == 3


def test_default_values_outside_of_the_range_are_not_said_to_be_the_default(tmp_path):
    tuner = run_search(tuning_job(tmp_path, dropout_rate=(0.3, 0.5)), Shortcut)
    assert tuner.records()[0].values["dropout_rate"] == 0.3
    assert not any(record.is_default for record in tuner.records())
    tuner.report(str(tmp_path), "artifacts/best/7")
    assert json.loads((tmp_path / "search.json").read_text())["default"] is None


def test_each_trial_that_ends_is_told_with_a_table_of_all(tmp_path, caplog):
    with caplog.at_level("INFO", logger="effnet.events"):
        run_search(tuning_job(tmp_path), Troubled)
    told = [record.event for record in caplog.records if getattr(record.event, "table", None)]
    assert [len(record.table) for record in told] == [2, 3, 4]
    assert "trial 1/3" in told[0].message and "failed: OOM when allocating" in told[0].message
    header, best, *others = told[-1].table
    assert header[:3] == ["trial", "dropout", "drop_connect"]
    assert best[0] == "3" and best[-1] == "best"
    assert [row[-1] for row in others] == ["default values, failed", "failed"]


def test_another_seed_proposes_other_values(tmp_path):
    one, other = (run_search(tuning_job(tmp_path / str(seed), seed=seed), Shortcut) for seed in (0, 1))
    assert one.records()[1].values != other.records()[1].values


def test_a_hopeless_trial_is_stopped_and_cannot_win(tmp_path):
    tuner = run_search(tuning_job(tmp_path, trials=12, epochs=4), Shortcut)
    stopped = [record for record in tuner.records() if record.status == "stopped"]
    assert stopped
    assert all(len(record.history) == 2 and "the median is" in record.reason for record in stopped)
    assert not {record.trial for record in stopped} & {record.trial for record in tuner.ranking()}


def test_more_trials_or_time_go_on_with_a_search_but_another_space_begins_anew(tmp_path):
    few = run_search(tuning_job(tmp_path, trials=2), Shortcut).records()
    more = run_search(tuning_job(tmp_path, trials=4, minutes=5), Shortcut)
    assert more.records()[:2] == few
    assert len(more.records()) == 4
    assert len(run_search(tuning_job(tmp_path, dropout_rate=(0.1, 0.2)), Shortcut).records()) == 3


def test_no_trial_begins_that_would_outlast_the_time(tmp_path):
    class Slow(Shortcut):
        def train(self, values, epochs, callbacks):
            time.sleep(0.4)
            return super().train(values, epochs, callbacks)

    tuner = run_search(tuning_job(tmp_path, trials=50, minutes=4 / 60), Slow)
    assert 1 <= len(tuner.records()) <= 10


def test_table_figure_and_summary(searched, tmp_path):
    _, tuner = searched
    lineage = tuner.report(str(tmp_path), "artifacts/best/7")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials.csv").read_text())))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert sum(row["winner"] == "True" for row in rows) == 1
    assert all(float(row["val_loss"]) > 0 and float(row["seconds"]) > 0 for row in rows)
    drawn = " ".join(ET.parse(tmp_path / "trials.svg").getroot().itertext())
    assert all(text in drawn for text in ("dropout", "drop-connect", "val_loss", "winner", "default values"))
    summary = json.loads((tmp_path / "search.json").read_text())
    assert summary["score"] <= summary["default"]
    assert summary["values"] == tuner.ranking()[0].values
    assert lineage["searched_by"] == "artifacts/best/7"


@pytest.mark.parametrize("when", ["first", {"every": 3}, "never", "drift"])
def test_a_result_is_taken_over_with_its_lineage(searched, tmp_path, when):
    job, tuner = searched
    tuner.report(str(tmp_path), "artifacts/best/7")
    settings = {**job.config["tune"], "when": when}
    config = {**job.config, "tune": settings, "images": {"drift": {"artifacts/best/7": 0.01}}}
    reusing = SearchElsewhere(replace(job, config=config), "unused")
    with mock.patch("trainer.tuner.call_in_fresh_process", side_effect=AssertionError("it searches")):
        reusing.search()
    assert reusing.get_best_hyperparameters()[0].values == tuner.ranking()[0].values
    assert reusing.report(str(tmp_path), "artifacts/best/8")["searched_by"] == "artifacts/best/7"


def start(folder: Path, settings: dict, network: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.trainer.search_digits", str(folder), json.dumps(settings), network]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("network", ["none", pytest.param("tiny", marks=pytest.mark.slow)])
def test_a_search_that_is_killed_goes_on_and_repeats_no_finished_trial(tmp_path, network):
    settings = {"trials": 8, "epochs": 2}
    elsewhere = SearchElsewhere(tuning_job(tmp_path, **settings), "unused")
    project = elsewhere.project_dir
    elsewhere.claim.release()
    process = start(tmp_path, settings, network)
    deadline = time.monotonic() + 180

    def finished():
        return [record for record in read_records(project) if record.status != "running"]

    while len(finished()) < 3 or len(read_records(project)) == len(finished()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = finished()
    assert 3 <= len(before) < 8

    assert start(tmp_path, settings, network).wait(timeout=180) == 0
    after = read_records(project)
    assert len(after) == 8
    assert all(record.status in ("completed", "stopped") for record in after)
    assert after[: len(before)] == before
    assert len({tuple(record.values.values()) for record in after}) == 8
    oracle = json.loads(Path(project, "oracle.json").read_text())
    assert set(oracle["run_times"].values()) == {1}


@pytest.mark.slow
def test_workers_share_the_trials(tmp_path):
    tuner = SearchElsewhere(tuning_job(tmp_path, trials=6, parallel=2), "unused")
    with mock.patch("trainer.tuner.search", search_leisurely):
        tuner.search()
    assert [record.status for record in tuner.records()] == ["completed"] * 6
    assert len({tuple(record.values.values()) for record in tuner.records()}) == 6
    assert tuner.get_best_hyperparameters()[0].values == tuner.ranking()[0].values


def test_a_worker_whose_chief_never_starts_says_so(monkeypatch):
    monkeypatch.setattr("trainer.tuning.parallel.SECONDS_TO_START", 0.1)
    for name in ("TUNER_ID", "ORACLE_IP", "ORACLE_PORT"):
        monkeypatch.setenv(f"KERASTUNER_{name}", "")  # what `join` sets is undone after the test
    _, (worker, _) = members(2)
    with pytest.raises(ChiefMissing, match=r"set tune\.parallel to 1"):
        worker.join()


@pytest.mark.slow
def test_a_search_ends_when_its_chief_is_killed(tmp_path):
    tuner = SearchElsewhere(tuning_job(tmp_path, trials=200, parallel=2), "unused")

    def kill_chief():
        while len(tuner.records()) < 3:
            time.sleep(0.1)
        (chief,) = [child for child in multiprocessing.active_children() if child.daemon]
        os.kill(chief.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_chief)
    killer.start()
    with (
        mock.patch("trainer.tuner.search", search_leisurely_and_impatiently),
        pytest.raises((ChiefMissing, TrainingProcessDied)),
    ):
        tuner.search()
    killer.join()
