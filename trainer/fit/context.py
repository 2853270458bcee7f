"""What the final training and the tuner's trials have in common before their first step: data, devices, network."""

from functools import cache
from typing import TypedDict, Unpack

import keras

from trainer.efficientnet import build_efficientnet
from trainer.fit.devices import (
    accelerators,
    choose_batch_size,
    choose_precision,
    choose_strategy,
    choose_xla,
    step_fits,
)
from trainer.fit.phases import Phase, compile_phase
from trainer.input_data import ContentShare, Split, open_split, steps_per_epoch
from trainer.job import TrainingJob
from trainer.learning_rate import batch_norm_momentum
from trainer.recipes import recipe_of
from trainer.runtime import prepare_cpu_process
from trainer.weights import load_weights

# With a global seed of 0 tf.data cannot take a seed that is a tensor, as each epoch's is. Seeds in pipeline.yaml are
# smaller than this one.
GLOBAL_SEED_FOR_ZERO = 2**31


class TrainingDataError(ValueError):
    """The transformed examples cannot be trained on."""


class NetworkOptions(TypedDict, total=False):
    """What the trainings of every kind of network choose."""

    batch_norm_momentum: float
    dropout_rate: float | None
    seed: int


class TrainingContext:
    """Seeds everything, chooses precision and devices, and opens the splits.

    Args:
      job: what to train.
      holdout: share of the train split that stands in for the val split, which then is not looked at; 0: none.
      fraction: of what is left of the train split that is trained on.

    Raises:
      TrainingDataError: a split is empty.
    """

    def __init__(self, job: TrainingJob, holdout: float = 0.0, fraction: float = 1.0) -> None:
        self.job = job
        self.recipe = recipe_of(job.settings)
        prepare_cpu_process()
        devices = accelerators()
        self.devices = devices
        self.strategy = choose_strategy(devices)
        self.xla = choose_xla(job.settings.xla, devices)
        self.precision = choose_precision(job.settings.precision, devices)
        keras.config.set_dtype_policy(self.precision)
        keras.utils.set_random_seed(job.seed or GLOBAL_SEED_FOR_ZERO)
        kept = ContentShare(holdout, holdout + (1.0 - holdout) * fraction, job.seed)
        self.train_split = self._open(job.train_files, "train", kept if kept.high - kept.low < 1.0 else None)
        if holdout:
            self.val_split = self._open(job.train_files, "tuning", ContentShare(0.0, holdout, job.seed))
        else:
            self.val_split = self._open(job.val_files, "val")

    def _open(self, file_patterns: list[str], name: str, share: ContentShare | None = None) -> Split:
        job = self.job
        split = open_split(file_patterns, job.image_size, len(job.class_names), share, job.transform_settings)
        if split.num_examples == 0:
            fix = "data.split" if share is None else "the share that val_fraction or data_fraction cuts"
            raise TrainingDataError(f"the {name} split is empty; add images or change {fix}")
        return split

    def build(self, total_steps: int, dropout_rate: float | None = None, drop_connect_rate: float = 0.2) -> keras.Model:
        """The network with its initial weights, on all devices; rates as `build_efficientnet` takes them."""
        with self.strategy.scope():
            return self.new_network(
                batch_norm_momentum=batch_norm_momentum(total_steps),
                seed=self.job.seed,
                dropout_rate=dropout_rate,
                drop_connect_rate=drop_connect_rate,
            )

    def new_network(self, *, drop_connect_rate: float = 0.2, **options: Unpack[NetworkOptions]) -> keras.Model:
        """The job's network with the weights that it starts from; options as `build_efficientnet` takes them."""
        settings = self.job.model_settings
        classes, size = len(self.job.class_names), self.job.image_size
        model = build_efficientnet(
            settings.chosen_variant, classes, image_size=size, drop_connect_rate=drop_connect_rate, **options
        )
        load_weights(model, settings.weights, settings.chosen_variant, settings.weights_sha256)
        return model

    def compile(self, model: keras.Model, phase: Phase, batch_size: int, fraction: float = 1.0) -> None:
        """Makes the model ready to train the phase on the train split or a fraction of it."""
        steps = steps_per_epoch(self.train_split, batch_size, fraction)
        with self.strategy.scope():
            compile_phase(model, phase, self.recipe, batch_size=batch_size, steps_per_epoch=steps, xla=self.xla)

    def batch_size(self) -> int:
        """Images a step: `train.batch_size`; `auto` tries on a network of its own what the GPUs hold."""
        probe = cache(self._build_probe)  # built when something is tried, gone on return
        return choose_batch_size(
            self.job.settings.batch_size,
            self.train_split.num_examples,
            self.devices,
            lambda size: step_fits(probe(), size),
        )

    def _build_probe(self) -> keras.Model:
        """The network ready to train as a whole, on the first device alone."""
        model = self.new_network()
        compile_phase(
            model,
            Phase(0, 1),
            self.recipe,
            batch_size=1,
            steps_per_epoch=1,
            xla=self.xla,
        )
        return model
