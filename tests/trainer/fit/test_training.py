"""A whole training, with a small network: killed and resumed, stopped early, fine-tuned, on two devices."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest

from tests.trainer.digits import CLASSES, build_tiny, make_job, scans, train_tiny
from trainer.fit.checkpoint import CheckpointStore
from trainer.fit.phases import phases_of
from trainer.input_data import eval_batches
from trainer.job import TrainingJob
from trainer.recipes import recipe_of
from trainer.train import single_float32

pytestmark = pytest.mark.network

ROOT = Path(__file__).resolve().parents[3]


def start(folder: Path, settings: dict, *devices: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.trainer.digits", str(folder), json.dumps(settings), *map(str, devices)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finish(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]
    return output


def history(job: TrainingJob) -> list[dict[str, str]]:
    with Path(job.log_dir, "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A training of the official recipe that nobody kills: the job, the training, the model."""
    job = make_job(tmp_path_factory.mktemp("undisturbed"), recipe="official", epochs=4)
    return job, *train_tiny(job)


def test_a_training_that_is_killed_in_mid_epoch_goes_on_and_ends_where_it_would_have(tmp_path, undisturbed):
    settings = {"recipe": "official", "epochs": 4, "checkpoint_seconds": 0}
    job = make_job(tmp_path, **settings)
    store = CheckpointStore(job.checkpoint_root, f"{job.key()}-float32")
    store.release()
    process = start(tmp_path, settings)
    deadline = time.monotonic() + 120
    while (saved := store.load()) is None or saved.progress.epoch < 1 or saved.progress.step < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped = store.load().progress
    assert 0 < stopped.step < 20

    output = finish(start(tmp_path, settings))
    assert f"train: resuming at epoch {stopped.epoch + 1}, step {stopped.epoch * 20 + stopped.step}" in output
    assert "step 80/80" in output
    rows = history(job)
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]

    _, training, model = undisturbed
    with np.load(tmp_path / "trained.npz") as weights:
        for resumed, expected in zip(weights.values(), model.get_weights(), strict=True):
            np.testing.assert_allclose(resumed, expected, rtol=0.02, atol=0.02)
    assert float(rows[-1]["val_loss"]) == pytest.approx(training.result["val_loss"], rel=0.02)


def test_state_of_other_inputs_is_forgotten_after_a_week_and_that_of_a_finished_training_at_once(tmp_path):
    job = make_job(tmp_path, epochs=1)
    old, young = (Path(CheckpointStore(job.checkpoint_root, name).path) for name in ("old", "young"))
    for file in (old, young):
        file.write_bytes(b"")
    os.utime(old, (time.time() - 8 * 24 * 3600,) * 2)
    training, _ = train_tiny(job)
    assert not old.exists()
    assert young.exists()
    training.finish()
    assert training.store.load() is None


def test_a_damaged_state_is_named_and_the_training_starts_anew(tmp_path, caplog):
    job = make_job(tmp_path, epochs=1, checkpoint_seconds=0)
    training, _ = train_tiny(job)
    state = Path(training.store.path)
    state.write_bytes(state.read_bytes()[:1000])
    with caplog.at_level(logging.INFO, "effnet.events"):
        training, _ = train_tiny(job)
    assert any("damaged" in record.getMessage() for record in caplog.records)
    assert len(training.progress.history) == 1


def test_a_training_killed_between_two_phases_goes_on_with_the_second(tmp_path, undisturbed):
    weights = str(tmp_path / "pretrained.weights.h5")
    undisturbed[2].save_weights(weights)
    settings = {"recipe": "finetune", "epochs": 3, "head_share": 0.34, "checkpoint_seconds": 0}
    job = make_job(tmp_path / "whole", weights=weights, **settings)
    _, whole = train_tiny(job)
    job = make_job(tmp_path / "killed", weights=weights, **settings)
    with mock.patch("trainer.fit.loop.phases_of", lambda *arguments: phases_of(*arguments)[:1]):
        train_tiny(job)
    training, resumed = train_tiny(job)
    assert len(training.progress.history) == 3
    for ours, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0.02, atol=0.02)


def test_a_training_that_had_stopped_early_stays_stopped(tmp_path):
    settings = {"epochs": 30, "patience": 2, "learning_rate": 0.5, "clip_norm": 0, "schedule": "exponential"}
    job = make_job(tmp_path, checkpoint_seconds=0, **settings)
    first, model = train_tiny(job)
    again, resumed = train_tiny(job)
    assert again.progress.history == first.progress.history
    for ours, expected in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_the_key_follows_the_configuration_and_the_files_but_not_the_place(tmp_path):
    job = make_job(tmp_path / "a")
    elsewhere = {**job.config, "checkpoint_root": "/elsewhere"}
    hotter = {**job.config, "train": {**job.config["train"], "learning_rate": 0.1}}

    def key(**changes) -> str:
        return replace(job, **changes).key()

    assert key() == key(config=elsewhere)
    assert len({key(), key(config=hotter), key(val_files=job.train_files), key(hyperparameters={"values": {}})}) == 4


def test_averages_are_what_is_evaluated_and_kept(undisturbed):
    _, training, model = undisturbed
    evaluated = model.evaluate(eval_batches(training.setup.val_split, 20), verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(training.result["val_loss"], rel=1e-4)
    assert model.optimizer.iterations == 80


def test_early_stopping_keeps_the_best_weights(tmp_path):
    # A learning rate that is far too high: the loss gets worse soon.
    job = make_job(tmp_path, epochs=30, patience=2, learning_rate=0.5, clip_norm=0, schedule="exponential")
    training, model = train_tiny(job)
    losses = [float(row["val_loss"]) for row in history(job)]
    assert len(losses) < 30
    assert training.best_epoch == int(np.argmin(losses)) == len(losses) - 3
    evaluated = model.evaluate(eval_batches(training.setup.val_split, 20), verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(min(losses), rel=1e-4)


def test_fine_tuning_trains_the_head_and_then_all_but_batch_norm(tmp_path, undisturbed):
    _, _, pretrained = undisturbed
    weights = str(tmp_path / "pretrained.weights.h5")
    pretrained.save_weights(weights)
    before = {layer.name: layer.get_weights() for layer in pretrained.layers}

    def changed(model) -> set[str]:
        return {
            layer.name
            for layer in model.layers
            if any(not np.array_equal(a, b) for a, b in zip(layer.get_weights(), before[layer.name], strict=True))
        }

    rates = {
        "learning_rate": 0.003,
        "head_learning_rate": 0.01,
        "augment": {"random_crop": 0, "horizontal_flip": 0},
    }
    settings = {"recipe": "finetune", "epochs": 4, "head_share": 0.5, **rates}
    job = make_job(tmp_path / "both", weights=weights, **settings)
    assert [(phase.start, phase.end, phase.trains) for phase in phases_of(recipe_of(job.settings), 4)] == [
        (0, 2, "head"),
        (2, 4, "all"),
    ]
    training, model = train_tiny(job)
    assert changed(model) == {"predictions", "conv0", "conv1"}
    assert training.result["val_accuracy"] > 0.8

    head = make_job(tmp_path / "head", weights=weights, **settings)
    with mock.patch("trainer.fit.loop.phases_of", lambda *arguments: phases_of(*arguments)[:1]):
        _, model = train_tiny(head)
    assert changed(model) == {"predictions"}


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_balance_finds_more_of_a_rare_class(tmp_path, balance):
    _, labels = scans()
    rare = CLASSES.index("eins")
    keep = (labels[:400] != rare) | (np.cumsum(labels[:400] == rare) <= 16)
    images, labels = (part[400:] for part in scans())

    def recall(class_balance: str) -> float:
        settings = {"epochs": 4, "batch_size": 10, "learning_rate": 0.001, "clip_norm": 0}
        job = make_job(tmp_path / class_balance, keep=keep, class_balance=class_balance, **settings)
        _, model = train_tiny(job)
        answers = np.argmax(model.predict(images.astype(np.float32), verbose=0), axis=1)
        return float(np.mean(answers[labels == rare] == rare))

    assert recall(balance) > recall("none") + 0.25


def test_two_devices_share_the_batches_and_what_they_train_is_exported_from_one(tmp_path):
    settings = {"recipe": "official", "epochs": 4, "ema_decay": 0.9, "learning_rate": 0.01}
    result = json.loads(finish(start(tmp_path, settings, 2)).splitlines()[-1])
    assert result["replicas"] == 2
    assert result["val_accuracy"] > 0.6
    with np.load(tmp_path / "trained.npz") as weights:
        assert all(np.isfinite(value).all() for value in weights.values())


@pytest.fixture
def policy_restored():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_and_is_exported_in_full(tmp_path, policy_restored, precision):
    smooth = {"schedule": "cosine", "learning_rate": 0.01, "augment": {"random_crop": 0, "randaugment_layers": 0}}
    training, model = train_tiny(make_job(tmp_path, recipe="official", precision=precision, **smooth))
    assert model.get_layer("conv1").compute_dtype in precision
    assert training.result["val_accuracy"] > 0.7
    with mock.patch("trainer.train.build_efficientnet", build_tiny):
        single = single_float32(model, training.job)
    assert {layer.compute_dtype for layer in single.layers} == {"float32"}
    images = scans()[0][:16].astype(np.float32)
    np.testing.assert_allclose(single.predict(images, verbose=0), model.predict(images, verbose=0), atol=0.1)


def test_a_batch_size_that_is_probed_keeps_the_epoch_long_and_spoils_nothing(tmp_path):
    job = make_job(tmp_path, batch_size="auto", xla=False, epochs=2)
    with mock.patch("trainer.fit.context.accelerators", lambda: ["CPU:0"]):
        training, _ = train_tiny(job)
    assert training.progress.batch_size == 16  # of 400 images, in 25 steps
    plain, _ = train_tiny(make_job(tmp_path / "plain", batch_size=16, xla=False, epochs=2))
    assert training.result["val_loss"] == pytest.approx(plain.result["val_loss"], rel=0.02)
