"""The recipes against the official formulas, and what single keys of pipeline.yaml change in them."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.trainer.digits import SIDE, build_tiny
from trainer.fit.ema import WeightAverage
from trainer.fit.phases import compile_model, phases_of
from trainer.learning_rate import batch_norm_momentum, learning_rate_schedule
from trainer.optimizers import AdamW, RMSprop
from trainer.recipes import RECIPES, recipe_of
from trainer.settings import TrainSettings

STEPS = 100  # an epoch
BATCH = 2048
PEAK = 0.128  # .016 per 256 images


def official(step: int, kind: str) -> float:
    """tensorflow/tpu utils.py, build_learning_rate, for 350 epochs."""
    if step < 5 * STEPS:
        return PEAK * step / (5 * STEPS)
    if kind == "exponential":
        return PEAK * 0.97 ** math.floor(step / (2.4 * STEPS))
    return 0.5 * PEAK * (1 + math.cos(math.pi * step / (350 * STEPS)))


@pytest.mark.parametrize("kind", ["exponential", "cosine"])
def test_the_official_schedule_is_the_published_one(kind):
    recipe = recipe_of(TrainSettings(recipe="official", schedule=kind))
    schedule = learning_rate_schedule(recipe, batch_size=BATCH, epochs=350, steps_per_epoch=STEPS)
    # 2.4 epochs are 240 steps: around the first stair after the warm-up, and the last one.
    for step in (0, 1, 250, 499, 500, 719, 720, 721, 20_000, 34_799, 34_801, 34_999):
        assert float(schedule(step)) == pytest.approx(official(step, kind), rel=1e-4, abs=1e-8), step


def test_a_short_run_falls_as_far_and_warms_up_for_a_fifth_at_most():
    def schedule(epochs: int):
        return learning_rate_schedule(RECIPES["official"], batch_size=256, epochs=epochs, steps_per_epoch=STEPS)

    short, published = schedule(10), schedule(350)
    assert float(short(10 * STEPS - 1)) == pytest.approx(float(published(350 * STEPS - 1)))
    assert float(short(199)) == pytest.approx(0.016 * 199 / 200)
    assert float(short(200)) < 0.016


def test_stairs_of_the_users_own_length_are_not_shortened():
    recipe = recipe_of(TrainSettings(recipe="official", decay_epochs=2.4, warmup_epochs=0))
    schedule = learning_rate_schedule(recipe, batch_size=256, epochs=10, steps_per_epoch=STEPS)
    assert float(schedule(999)) == pytest.approx(0.016 * 0.97**4)


def test_a_learning_rate_of_the_users_is_the_peak_itself():
    recipe = recipe_of(TrainSettings(recipe="official", learning_rate=0.05, warmup_epochs=0))
    schedule = learning_rate_schedule(recipe, batch_size=64, epochs=10, steps_per_epoch=STEPS)
    assert float(schedule(0)) == pytest.approx(0.05)


def test_schedules_survive_saving():
    schedule = learning_rate_schedule(RECIPES["official"], batch_size=256, epochs=10, steps_per_epoch=STEPS)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert [float(again(step)) for step in (3, 700)] == [float(schedule(step)) for step in (3, 700)]


def test_single_keys_replace_single_values():
    changes = {"label_smoothing": 0.0, "clip_norm": 2.0, "augment": {"mixup": 0.2}}
    chosen = recipe_of(TrainSettings(recipe="official", epochs=350, **changes))
    assert (chosen.label_smoothing, chosen.clip_norm, chosen.augment.mixup) == (0.0, 2.0, 0.2)
    assert chosen.ema_decay == RECIPES["official"].ema_decay
    assert chosen.augment.random_crop == RECIPES["official"].augment.random_crop
    assert recipe_of(TrainSettings(recipe="official", ema_decay=0)).ema_decay == 0
    assert recipe_of(TrainSettings()) == RECIPES["quick"]


@pytest.mark.parametrize(("epochs", "spans"), [(1, [(0, 1)]), (2, [(0, 1), (1, 2)]), (10, [(0, 3), (3, 10)])])
def test_fine_tuning_gives_the_head_its_share(epochs, spans):
    assert [(phase.start, phase.end) for phase in phases_of(RECIPES["finetune"], epochs)] == spans
    assert [(phase.start, phase.end) for phase in phases_of(RECIPES["quick"], epochs)] == [(0, epochs)]
    assert [phase.trains for phase in phases_of(RECIPES["finetune"], 10, head_is_trained=True)] == ["top", "all"]
    assert phases_of(RECIPES["finetune"], 0, head_is_trained=True) == []


def test_batch_norm_remembers_as_long_as_the_run_allows():
    assert batch_norm_momentum(100_000) == pytest.approx(0.99)
    assert batch_norm_momentum(400) == pytest.approx(0.95)
    assert batch_norm_momentum(10) == pytest.approx(0.9)


@pytest.fixture
def model():
    return build_tiny("b0", 3, image_size=SIDE, dropout_rate=1e-6)


def test_a_short_official_training_augments_less_unless_told_otherwise():
    long = recipe_of(TrainSettings(recipe="official", epochs=350))
    short = recipe_of(TrainSettings(recipe="official", epochs=30))
    assert long == RECIPES["official"]
    assert short == replace(long, augment=short.augment)
    assert short.augment.randaugment_layers == 0 < long.augment.randaugment_layers
    assert short.augment.random_crop > long.augment.random_crop
    told = TrainSettings(recipe="official", epochs=30, augment={"randaugment_layers": 2, "random_crop": 0.08})
    assert recipe_of(told) == long


def test_the_official_decay_is_a_penalty_on_kernels_alone(model):
    recipe = recipe_of(TrainSettings(recipe="official", weight_decay=0.02))
    compile_model(model, recipe, 0.01)
    assert isinstance(model.optimizer, RMSprop)
    assert (model.optimizer.rho, model.optimizer.momentum, model.optimizer.epsilon) == (0.9, 0.9, 1e-3)
    assert model.optimizer.weight_decay is None
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 3 < len(model.trainable_variables)
    expected = sum(0.01 * float(np.sum(np.square(kernel))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_adamw_decays_kernels_alone_and_takes_the_penalty_away(model):
    compile_model(model, RECIPES["official"], 0.01)
    compile_model(model, RECIPES["quick"], 0.1)
    assert isinstance(model.optimizer, AdamW)
    assert not model.losses
    before = {v.path: v.numpy() for v in model.trainable_variables}
    model.optimizer.apply([np.zeros(v.shape, np.float32) for v in model.trainable_variables])
    for variable in model.trainable_variables:
        factor = 1 - 0.1 * 0.01 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable, before[variable.path] * factor, rtol=1e-5)


def test_averages_follow_the_official_formula_for_weights_and_statistics(model):
    compile_model(model, RECIPES["quick"], 0.05)
    average = WeightAverage(model, 0.3)
    averaged = [weight for weight in model.weights if weight.dtype == "float32"]
    assert {"moving_mean", "moving_variance", "kernel", "gamma"} <= {weight.name for weight in averaged}
    expected = [weight.numpy() for weight in averaged]
    images, labels = np.random.default_rng(0).uniform(0, 255, (8, SIDE, SIDE, 3)), np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    for step in range(1, 7):  # (1 + t) / (10 + t) passes .3 at step 3
        model.train_on_batch(images, labels)
        average.on_train_batch_end(step)
        decay = min(0.3, (1 + step) / (10 + step))
        expected = [decay * e + (1 - decay) * w.numpy() for e, w in zip(expected, averaged, strict=True)]
    raw = [weight.numpy() for weight in averaged]
    average.on_test_begin()
    average.on_test_begin()  # a second evaluation of the same epoch
    for weight, value in zip(averaged, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-5)
    average.on_epoch_begin(1)
    for weight, value in zip(averaged, raw, strict=True):
        np.testing.assert_array_equal(weight, value)
