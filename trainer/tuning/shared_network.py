"""The one traced network that all trials share, and how a trial trains it.

Rates and learning rate are variables in the network's graph, label smoothing and augmentation belong to the data, so
that a trial sets them, puts back the initial weights and trains. A stock tuner would build and trace the network again
for every trial (some 20 s for B0 on a CPU).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import keras
import tensorflow as tf

from components.common.events import report_progress
from trainer.efficientnet import reseed, set_regularisation
from trainer.fit.callbacks import StepTimer
from trainer.fit.context import TrainingContext
from trainer.fit.phases import Phase, compile_phase, reset_optimizer
from trainer.input_data import eval_batches, eval_steps, steps_per_epoch, train_batches
from trainer.job import TrainingJob
from trainer.kernels import Tensor
from trainer.learning_rate import learning_rate_schedule
from trainer.recipes import default_values
from trainer.settings import TuneSettings

TIMED_STEPS = 4  # the first of which traces the network


class AdjustableRate(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a variable, which traced steps follow.

    Args:
      schedule: with a peak of 1.
      peak: the learning rate after the warm-up.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, peak: keras.Variable) -> None:
        self.schedule = schedule
        self.peak = peak

    def __call__(self, step: Tensor) -> Tensor:
        """The learning rate of a step, counted from 0."""
        return self.peak.value * self.schedule(step)


class Study:
    """Trains the network of a job with one set of hyperparameters after the other.

    The images are the train split's: `val_fraction` of them, chosen by content, rank the trials, and `data_fraction`
    of the others train them. Val and eval, which judge the model that comes of it, are not looked at.

    A trial trains the whole network in one phase, and is ranked by its last weights: a recipe's head phase and averaged
    weights are the final training's alone.

    Args:
      job: what to train.
      settings: the search.

    Raises:
      TrainingDataError: one of the two shares is empty.
    """

    def __init__(self, job: TrainingJob, settings: TuneSettings) -> None:
        self.job = job
        self.settings = settings
        self.setup = TrainingContext(job, holdout=settings.val_fraction)
        self.batch_size = self.setup.batch_size()
        self.steps_per_epoch = steps_per_epoch(self.setup.train_split, self.batch_size, settings.data_fraction)
        self.defaults = default_values(job.model_settings.chosen_variant, self.setup.recipe, self.batch_size)
        self.network = self.setup.build(self.steps_per_epoch * settings.epochs)
        self.peak: keras.Variable | None = None
        self._compile()
        self.initial_weights = self.network.get_weights()
        self.val_batches = eval_batches(self.setup.val_split, self.batch_size)
        # Of one set of data, whose decoded images stay in memory: all that there is as long as only rates are searched.
        self._batches = lru_cache(maxsize=1)(self._make_batches)

    def train(
        self, values: Mapping[str, float], epochs: int, callbacks: Sequence[keras.callbacks.Callback]
    ) -> dict[str, list[float]]:
        """Trains from the initial weights, as a freshly built network would, and returns Keras' history.

        Args:
          values: of the searched hyperparameters; the others are the job's.
          epochs: at most those of the settings, whose schedule every trial follows.
          callbacks: that watch the training.
        """
        reseed(self.network, self.job.seed)
        self.network.set_weights(self.initial_weights)
        reset_optimizer(self.network)
        set_regularisation(
            self.network,
            dropout_rate=values.get("dropout_rate"),
            drop_connect_rate=values.get("drop_connect_rate"),
        )
        if self.peak is not None:
            self.peak.assign(values["learning_rate"])
        return self._fit(values, epochs, self.steps_per_epoch, callbacks, validation_data=self.val_batches)

    def seconds_per_epoch(self) -> float:
        """Traces the network and estimates from a few steps what an epoch will take."""
        report_progress("tune: preparing the network")
        timer = StepTimer()
        steps = min(TIMED_STEPS, self.steps_per_epoch)
        self._fit(self.defaults, 1, steps, [timer])
        return timer.epoch_seconds(self.steps_per_epoch, eval_steps(self.setup.val_split, self.batch_size))

    def _compile(self) -> None:
        searched, recipe = self.settings.ranges, self.setup.recipe
        if "label_smoothing" in searched:
            recipe = replace(recipe, label_smoothing=0.0)  # the trial's own comes with its labels
        with self.setup.strategy.scope():
            compile_phase(
                self.network,
                Phase(0, self.settings.epochs),
                recipe,
                batch_size=self.batch_size,
                steps_per_epoch=self.steps_per_epoch,
                xla=self.setup.xla,
            )
            if "learning_rate" in searched:
                schedule = learning_rate_schedule(
                    recipe,
                    batch_size=self.batch_size,
                    epochs=self.settings.epochs,
                    steps_per_epoch=self.steps_per_epoch,
                    peak=1.0,
                )
                self.peak = keras.Variable(self.defaults["learning_rate"], dtype="float32", trainable=False)
                self.network.optimizer.learning_rate = AdjustableRate(schedule, self.peak)

    def _fit(
        self,
        values: Mapping[str, float],
        epochs: int,
        steps: int,
        callbacks: Sequence[keras.callbacks.Callback],
        validation_data: tf.data.Dataset | None = None,
    ) -> dict[str, list[float]]:
        smoothing = values["label_smoothing"] if "label_smoothing" in self.settings.ranges else 0.0
        magnitude = values.get("randaugment_magnitude", self.defaults["randaugment_magnitude"])
        history: dict[str, list[float]] = self.network.fit(
            self._batches(smoothing, magnitude),
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=list(callbacks),
            shuffle=False,  # the batches are
            verbose=0,
            validation_data=validation_data,
        ).history
        return history

    def _make_batches(self, smoothing: float, magnitude: float) -> tf.data.Dataset:
        batches = train_batches(
            self.setup.train_split,
            batch_size=self.batch_size,
            epochs=self.settings.epochs,
            seed=self.job.seed,
            augment=replace(self.setup.recipe.augment, randaugment_magnitude=magnitude),
            class_balance=self.job.settings.class_balance,
            fraction=self.settings.data_fraction,
        )
        if not smoothing:
            return batches
        classes = self.setup.train_split.num_classes

        def smooth(images: tf.Tensor, targets: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return images, targets * (1.0 - smoothing) + smoothing / classes, *weights

        return batches.map(smooth, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
