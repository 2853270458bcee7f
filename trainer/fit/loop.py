"""One training from its first or its last saved step to its end."""

from collections.abc import Iterator, Mapping

import keras
import tensorflow as tf

from components.common import files
from components.common.csv_table import csv_text
from components.common.events import report_progress
from trainer.fit.callbacks import EarlyStopping, ProgressLogger
from trainer.fit.checkpoint import Checkpointing, CheckpointStore, Saved, State, TrainingProgress
from trainer.fit.context import TrainingContext, TrainingDataError
from trainer.fit.ema import WeightAverage
from trainer.fit.head import BATCH as HEAD_BATCH
from trainer.fit.head import train_head
from trainer.fit.phases import Phase, phases_of
from trainer.fit.unfreezing import Features, decide, open_features
from trainer.input_data import eval_batches, steps_per_epoch, train_batches
from trainer.job import TrainingJob
from trainer.weights import CLASSIFIER


class Training:
    """What is trained, and where it is.

    Args:
      job: what to train; with a `checkpoint_root` the state is saved there, and a saved one is resumed.
      rates: `dropout_rate` and `drop_connect_rate`.
      setup: data, devices and network; those of the job by default.

    Raises:
      TrainingDataError: a split is empty, or there is nothing to train.
      NotFeatures: the features' file is damaged.
      MemoryError: `batch_size: auto`, and the GPU is too small.
    """

    def __init__(self, job: TrainingJob, rates: Mapping[str, float], setup: TrainingContext | None = None) -> None:
        self.job = job
        self.rates = rates
        self.setup = setup or TrainingContext(job)
        self.store = self._store()
        self.saved: Saved | None = self.store.load() if self.store else None
        self.progress = self.saved.progress if self.saved else TrainingProgress()
        self.features = open_features(job) if self.setup.recipe.head_share else None
        self.epochs = job.settings.epochs
        if self.features:
            unfreezing = decide(job.settings, self.features.train, len(job.class_names))
            self.epochs = unfreezing.epochs
            if unfreezing.reason:
                report_progress(f"train: {self.epochs} epochs of the network ({unfreezing.reason})")
        elif not self.epochs:
            raise TrainingDataError("train.epochs is 0, and there are no features to train the classifier on")
        # A resumed training keeps its batch size, even where the GPU would hold another one by now. Nothing is tried on
        # the GPU where the network itself is not trained.
        if not self.progress.batch_size:
            self.progress.batch_size = self.setup.batch_size() if self.epochs else HEAD_BATCH
        self.steps_per_epoch = steps_per_epoch(self.setup.train_split, self.progress.batch_size)
        self.total_steps = self.epochs * self.steps_per_epoch
        self.head_logs: list[dict[str, float]] = []
        self.keeps_head_alone = not self.epochs
        self.best_epoch = -1
        self.pace: dict[int, Mapping[str, float]] = {}

    @property
    def steps_done(self) -> int:
        """Steps of the whole training so far."""
        return self.progress.epoch * self.steps_per_epoch + self.progress.step

    @property
    def result(self) -> dict[str, float]:
        """The logs of the epoch whose weights the trained model has."""
        if self.keeps_head_alone:
            return self.head_logs[-1]
        return self.progress.history[self.best_epoch]

    def run(self) -> keras.Model:
        """Trains phase after phase.

        Raises:
          TrainingDiverged: the loss is not finite.
        """
        if self.store:
            self.store.remove_old()
        if self.saved:
            report_progress(f"train: resuming at epoch {self.progress.epoch + 1}, step {self.steps_done}")
        model = self.setup.build(self.total_steps, self.rates["dropout_rate"], self.rates["drop_connect_rate"])
        if self.features:
            self._train_head(model, self.features)
        with_head = model.get_weights() if self.features else None
        for phase in phases_of(self.setup.recipe, self.epochs, self.features is not None):
            if self.progress.epoch < phase.end or phase.end == self.epochs:
                self._train_phase(model, phase)
        if with_head and self.epochs and self.head_logs[-1]["val_loss"] <= self.result["val_loss"]:
            report_progress("train: keeping the classifier alone: training the network did not lower the loss")
            model.set_weights(with_head)
            self.keeps_head_alone = True
        return model

    def finish(self) -> None:
        """Forgets the saved state, once what was trained is in safety."""
        if self.store:
            self.store.remove()

    def _train_head(self, model: keras.Model, features: Features) -> None:
        """Trains the classifier on the features, and gives it to the model."""
        report_progress(f"train: the classifier, on the features of {features.train.images} images")
        weights, self.head_logs = train_head(
            features.train,
            features.val,
            len(self.job.class_names),
            self.setup.recipe,
            dropout_rate=self.rates["dropout_rate"],
            seed=self.job.seed,
            balanced=self.job.settings.class_balance != "none",
        )
        model.get_layer(CLASSIFIER).set_weights(weights)
        last = self.head_logs[-1]
        report_progress(f"train: the classifier's val loss {last['val_loss']:.3f}, accuracy {last['val_accuracy']:.3f}")
        if not self.epochs:
            _write_table(f"{self.job.log_dir}/history.csv", dict(enumerate(self.head_logs)))

    def _store(self) -> CheckpointStore | None:
        """Another machine's precision makes another training: the optimiser scales the loss or does not."""
        root = self.job.checkpoint_root
        return CheckpointStore(root, f"{self.job.key()}-{self.setup.precision}") if root else None

    def _train_phase(self, model: keras.Model, phase: Phase) -> None:
        """Trains what is left of a phase and leaves the model with the weights to keep."""
        state = self._prepare(model, phase)
        logger = ProgressLogger("train", self.total_steps, self.progress.batch_size, self.steps_done)
        callbacks: list[keras.callbacks.Callback] = [
            logger,
            keras.callbacks.TensorBoard(self.job.log_dir),
            # Averages go into the model before early stopping looks at it; the state is saved when all is settled.
            *([state.average] if state.average else []),
            *([state.stopping] if state.stopping else []),
            Checkpointing(self.store, self.progress, state, self.steps_per_epoch, self.job.settings.checkpoint_seconds),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: self._write_logs(logger.pace)),
        ]
        for epoch, step, end in self._stretches(phase, state):
            model.fit(
                self._batches(epoch, step, end),
                validation_data=eval_batches(self.setup.val_split, self.progress.batch_size),
                initial_epoch=epoch,
                epochs=end,
                steps_per_epoch=self.steps_per_epoch - step,
                callbacks=callbacks,
                shuffle=False,  # the batches are
                verbose=0,
            )
            if model.stop_training:
                break
        if state.stopping and state.stopping.best_weights is not None:
            model.set_weights(state.stopping.best_weights)
            self.best_epoch = state.stopping.best_epoch
            report_progress(f"train: keeping the weights of epoch {self.best_epoch + 1}")

    def _prepare(self, model: keras.Model, phase: Phase) -> State:
        """Compiles the model for the phase and puts back what was saved."""
        settings, recipe = self.job.settings, self.setup.recipe
        self.setup.compile(model, phase, self.progress.batch_size)
        with self.setup.strategy.scope():
            average = WeightAverage(model, recipe.ema_decay) if recipe.ema_decay else None
            # Not in a head phase, whose end is not the training's.
            patience = settings.patience if phase.end == self.epochs else None
            state = State(model, average, EarlyStopping(patience) if patience else None)
            if self.saved:
                begins = (self.progress.epoch, self.progress.step) == (phase.start, 0)
                # At a phase's begin what was saved is the end of the phase before, with that one's optimiser.
                (self.saved.restore_layers if begins else self.saved.restore)(state)
                self.saved = None
        return state

    def _stretches(self, phase: Phase, state: State) -> Iterator[tuple[int, int, int]]:
        """What is left of a phase as (epoch, step, end): an epoch that was begun is a stretch of its own."""
        if state.stopping and state.stopping.wait >= state.stopping.patience:
            return  # it had stopped before it was interrupted
        epoch, step = self.progress.epoch, self.progress.step
        if step:
            yield epoch, step, epoch + 1
            epoch += 1
        if epoch < phase.end:
            yield epoch, 0, phase.end

    def _write_logs(self, pace: Mapping[int, Mapping[str, float]]) -> None:
        """Writes the logs of all epochs and their pace, which is known of those that this process trained."""
        _write_table(f"{self.job.log_dir}/history.csv", dict(enumerate(self.progress.history)))
        self.pace |= pace
        _write_table(f"{self.job.log_dir}/pace.csv", self.pace)

    def _batches(self, epoch: int, step: int, end: int) -> tf.data.Dataset:
        return train_batches(
            self.setup.train_split,
            batch_size=self.progress.batch_size,
            epochs=end,
            seed=self.job.seed,
            augment=self.setup.recipe.augment,
            class_balance=self.job.settings.class_balance,
            first_epoch=epoch,
            first_step=step,
        )


def _write_table(path: str, epochs: Mapping[int, Mapping[str, float]]) -> None:
    """Writes values of epochs, counted from 0, as CSV."""
    rows = ({"epoch": number, **values} for number, values in epochs.items())
    files.write_text(path, csv_text(["epoch", *sorted(next(iter(epochs.values())))], rows))
