"""What watches a training: progress lines, and a stop when the loss is not finite."""

import math
import time

import keras

from trainer.progress import PROGRESS

SECONDS_BETWEEN_LINES = 2.0


class TrainingDiverged(RuntimeError):
    """The loss is not a finite number any more."""


class ProgressLogger(keras.callbacks.Callback):
    """Logs epoch, loss, accuracy, images/s and the time left; stops a training whose loss is not finite.

    Args:
      task: what is trained, the first word of every line.
      total_steps: steps of the whole training.
      batch_size: images a step.
    """

    def __init__(self, task: str, total_steps: int, batch_size: int):
        super().__init__()
        self.task = task
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.steps_done = 0
        self.epoch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Says that the first step, which traces the network, is on its way."""
        PROGRESS.info("%s: preparing the network", self.task)
        self.first_step_ended: float | None = None
        self.last_line = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Notes the epoch for the lines to come."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Logs a line if the last one is old enough.

        Raises:
          TrainingDiverged: the loss is NaN or infinite.
        """
        self.steps_done += 1
        now = time.monotonic()
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"{self.task}: the loss is {loss} at step {self.steps_done}; "
                "lower train.learning_rate or set train.clip_norm"
            )
        if self.first_step_ended is None:  # it traced the network, so it tells nothing of the speed
            self.first_step_ended = now
            return
        if now - self.last_line < SECONDS_BETWEEN_LINES and self.steps_done < self.total_steps:
            return
        self.last_line = now
        seconds_per_step = (now - self.first_step_ended) / (self.steps_done - 1)
        minutes, seconds = divmod(round((self.total_steps - self.steps_done) * seconds_per_step), 60)
        PROGRESS.info(
            "%s: epoch %d, step %d/%d, loss %.3f, accuracy %.3f, %.0f images/s, %d:%02d left",
            self.task,
            self.epoch,
            self.steps_done,
            self.total_steps,
            loss,
            float((logs or {}).get("accuracy", math.nan)),
            self.batch_size / seconds_per_step,
            minutes,
            seconds,
        )
