"""How fast a network trains and answers on this machine: a few steps of it, for a forecast."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from trainer.efficientnet import build_efficientnet
from trainer.features import asker
from trainer.fit.devices import accelerators, choose_precision, choose_xla
from trainer.fit.phases import Phase, compile_phase
from trainer.fit.process import call_in_fresh_process
from trainer.recipes import recipe_of
from trainer.runtime import prepare_cpu_process
from trainer.settings import ModelSettings, TrainSettings

STEPS, LONGEST = 20, 30.0  # steps that are timed, and the seconds after which fewer have to do
BATCH = 32


@dataclass(frozen=True)
class Pace:
    """Seconds.

    Args:
      first_step: until the first step of training has ended, the building of the network included.
      step: of each further step of `BATCH` images.
      answer: that the network takes for `BATCH` images without training.

    The first two are 0 where the network itself is not to be trained.
    """

    first_step: float
    step: float
    answer: float


def measure_pace(model: Mapping[str, object], train: Mapping[str, object], num_classes: int) -> Pace:
    """Trains and asks a network in a process of its own, on noise.

    Args:
      model: the section of pipeline.yaml; its weights do not matter.
      train: likewise.
      num_classes: width of the classifier.
    """
    return call_in_fresh_process(_measure, dict(model), dict(train), num_classes)


def _measure(model_section: Mapping[str, object], train_section: Mapping[str, object], num_classes: int) -> Pace:
    train = TrainSettings.model_validate(train_section)
    variant = ModelSettings.model_validate(model_section).chosen_variant
    prepare_cpu_process()
    devices = accelerators()
    keras.config.set_dtype_policy(choose_precision(train.precision, devices))
    started = time.perf_counter()
    first = step = 0.0
    network = build_efficientnet(variant, num_classes, image_size=variant.resolution, seed=0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, *network.input_shape[1:]), np.uint8)
    if train.epochs:
        xla = choose_xla(train.xla, devices)
        compile_phase(network, Phase(0, 1), recipe_of(train), batch_size=BATCH, steps_per_epoch=STEPS, xla=xla)
        labels = np.eye(num_classes, dtype=np.float32)[rng.integers(0, num_classes, BATCH)]
        pixels = images.astype(np.float32)
        network.train_on_batch(pixels, labels)
        first = time.perf_counter() - started
        step = _seconds_each(lambda: network.train_on_batch(pixels, labels))
    ask = asker(network)
    ask(images)
    return Pace(first, step, _seconds_each(lambda: np.asarray(ask(images))))


def _seconds_each(work: Callable[[], object]) -> float:
    """The mean of some calls."""
    started, calls = time.perf_counter(), 0
    while calls < STEPS and (not calls or time.perf_counter() - started < LONGEST):
        work()
        calls += 1
    return (time.perf_counter() - started) / calls
