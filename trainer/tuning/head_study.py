"""The search on the features of a frozen network: a trial trains the classifier alone, in the time of a few steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import tensorflow as tf

from components.common.events import report_progress
from trainer.efficientnet import reseed, set_regularisation
from trainer.feature_set import read_features
from trainer.fit.callbacks import StepTimer
from trainer.fit.context import TrainingDataError
from trainer.fit.head import BATCH, build_head, compile_head, fit_head, head_batches, head_schedule, head_steps
from trainer.fit.phases import reset_optimizer
from trainer.input_data import ContentShare
from trainer.job import TrainingJob
from trainer.recipes import default_values, recipe_of
from trainer.runtime import prepare_cpu_process
from trainer.settings import TuneSettings
from trainer.tuning.shared_network import AdjustableRate

TIMED_EPOCHS = 3


class HeadStudy:
    """Trains a head with one set of hyperparameters after the other; stands in for `Study`, which see.

    Args:
      job: what to train; its features are there.
      settings: the search, as `TuneSettings.of_head` makes it.

    Raises:
      TrainingDataError: the share that ranks the trials, or the one that trains them, is empty.
      NotFeatures: the features' file is damaged.
    """

    def __init__(self, job: TrainingJob, settings: TuneSettings) -> None:
        self.job = job
        self.settings = settings
        prepare_cpu_process()
        keras.utils.set_random_seed(job.seed + 1)
        self.classes = len(job.class_names)
        found = read_features(f"{job.features_root}/Split-train", self.classes)
        self.train_set = found.share(ContentShare(settings.val_fraction, 1.0, job.seed))
        self.val_set = found.share(ContentShare(0.0, settings.val_fraction, job.seed))
        if not (len(self.train_set) and len(self.val_set)):
            raise TrainingDataError("too few images for tune.val_fraction; add images, or raise or lower it")
        recipe = recipe_of(job.settings)
        self.steps = head_steps(self.train_set)
        self.defaults = default_values(job.model_settings.chosen_variant, recipe, BATCH)
        self.head = build_head(found.features.shape[1], self.classes, self.defaults["dropout_rate"], job.seed)
        if "label_smoothing" in settings.ranges:
            recipe = replace(recipe, label_smoothing=0.0)  # the trial's own comes with its labels
        self.peak = keras.Variable(self.defaults["head_learning_rate"], dtype="float32", trainable=False)
        schedule = AdjustableRate(head_schedule(recipe, self.steps, settings.epochs, peak=1.0), self.peak)
        compile_head(self.head, recipe, schedule, self.steps)
        self.initial_weights = self.head.get_weights()

    @property
    def steps_per_epoch(self) -> int:
        """What callbacks see as steps: an epoch is one call of TensorFlow's."""
        return 1

    @property
    def batch_size(self) -> int:
        """Images of such a step."""
        return len(self.train_set)

    def train(
        self, values: Mapping[str, float], epochs: int, callbacks: Sequence[keras.callbacks.Callback]
    ) -> dict[str, list[float]]:
        """As `Study.train`."""
        reseed(self.head, self.job.seed)
        self.head.set_weights(self.initial_weights)
        reset_optimizer(self.head)
        set_regularisation(self.head, dropout_rate=values.get("dropout_rate"))
        self.peak.assign(values.get("head_learning_rate", self.defaults["head_learning_rate"]))
        smoothing = values.get("label_smoothing", 0.0) if "label_smoothing" in self.settings.ranges else 0.0
        logs = fit_head(self.head, self._batches(smoothing), self.steps, self.val_set, epochs, callbacks)
        return {name: [entry[name] for entry in logs] for name in logs[0]}

    def seconds_per_epoch(self) -> float:
        """Traces the head and measures a few epochs."""
        report_progress("tune: preparing the classifier")
        timer = StepTimer()
        fit_head(self.head, self._batches(0.0), self.steps, self.val_set, TIMED_EPOCHS, [timer])
        return timer.seconds_per_step

    def _batches(self, smoothing: float) -> tf.data.Dataset:
        balanced = self.job.settings.class_balance != "none"
        return head_batches(self.train_set, self.classes, self.job.seed, balanced, smoothing)
