"""A search on the scanned digits, over a real but tiny EfficientNet that is traced in seconds.

As a program it runs one search, for tests that need a process to kill:

    python -m tests.trainer.search_digits FOLDER '{"trials": 4}' tiny|none
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras

from tests.trainer.digits import make_job
from trainer.efficientnet import build_efficientnet
from trainer.job import TrainingJob
from trainer.recipes import default_values, recipe_of
from trainer.scaling import Variant
from trainer.settings import TuneSettings
from trainer.tuner import SearchElsewhere
from trainer.tuning.search import search
from trainer.tuning.shared_network import Study

TINY = Variant("tiny", 0.2, 0.3, 32, 0.2)


def tuning_job(folder: Path, *, seed: int = 0, train: dict | None = None, **tune) -> TrainingJob:
    """A job for the tuner; `train` and `tune` replace single settings."""
    job = make_job(folder, **(train or {}))
    settings = TuneSettings(**{"trials": 3, "data_fraction": 0.5, **tune})
    return replace(job, config={**job.config, "seed": seed, "tune": settings.model_dump()})


def build_tiny_efficientnet(variant: str, *arguments, **options):
    """Stands in for `build_efficientnet`: a fifth of B0's width, a third of its depth."""
    return build_efficientnet(TINY, *arguments, **options)


def tiny_networks():
    """Makes every network of this process a tiny one."""
    return mock.patch("trainer.fit.context.build_efficientnet", build_tiny_efficientnet)


def search_here(function: Callable, *arguments):
    """Stands in for `call_in_fresh_process`, where a test has things to replace."""
    return function(*arguments)


def run_search(job: TrainingJob, study: type[Study] = Study) -> SearchElsewhere:
    """Searches in this process and returns the tuner that TFX would see."""
    with (
        tiny_networks(),
        mock.patch("trainer.tuner.call_in_fresh_process", search_here),
        mock.patch("trainer.tuning.search.Study", study),
    ):
        tuner = SearchElsewhere(job, "unused")
        tuner.search()
    return tuner


class Shortcut(Study):
    """A study without a network, for what does not depend on one: dropout alone makes its losses."""

    def __init__(self, job: TrainingJob, settings: TuneSettings) -> None:
        self.job = job
        self.settings = settings
        self.batch_size, self.steps_per_epoch = 20, 10
        self.defaults = default_values("b0", recipe_of(job.settings), self.batch_size)

    def seconds_per_epoch(self) -> float:
        return 1.0

    def train(self, values, epochs, callbacks) -> dict[str, list[float]]:
        """Losses that fall to |dropout - 0.3|, watched as Keras watches."""
        network = keras.Sequential()
        network.compile("sgd")
        watched = keras.callbacks.CallbackList(callbacks, model=network)
        watched.model.stop_training = False
        watched.on_train_begin()
        losses = []
        for epoch in range(epochs):
            losses.append(abs(values["dropout_rate"] - 0.3) + 1.0 / (epoch + 1))
            watched.on_epoch_begin(epoch)
            watched.on_train_batch_end(0, {"loss": losses[-1]})
            watched.on_epoch_end(epoch, {"val_loss": losses[-1], "val_accuracy": 1.0 - losses[-1]})
            if watched.model.stop_training:
                break
        return {"val_loss": losses}


class Leisurely(Shortcut):
    """A trial of it lasts long enough to be killed in."""

    def train(self, values, epochs, callbacks) -> dict[str, list[float]]:
        time.sleep(0.2)
        return super().train(values, epochs, callbacks)


def search_leisurely(*arguments) -> None:
    """Stands in for `search` in another process."""
    with mock.patch("trainer.tuning.search.Study", Leisurely):
        search(*arguments)


def search_leisurely_and_impatiently(*arguments) -> None:
    """The same, of a worker that does not wait long for its chief."""
    with mock.patch("trainer.tuning.parallel.SECONDS_TO_START", 20.0):
        search_leisurely(*arguments)


def main() -> None:
    """Runs the search that the command line describes."""
    folder, settings, network = sys.argv[1:]
    job = tuning_job(Path(folder), **json.loads(settings))
    study = {"tiny": Study, "none": Leisurely}[network]
    with tiny_networks(), mock.patch("trainer.tuning.search.Study", study):
        search(job, SearchElsewhere(job, "unused").directory)


if __name__ == "__main__":
    main()
