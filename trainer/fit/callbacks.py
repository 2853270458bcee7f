"""What watches a training: progress lines, a stop when the loss is not finite, a stop when nothing gets better."""

import math
import time
from collections.abc import Mapping
from typing import SupportsFloat, TypedDict

import keras
import numpy as np
from numpy.typing import NDArray

from components.common.events import report_progress
from components.common.human_format import clock

SECONDS_BETWEEN_LINES = 2.0

Logs = Mapping[str, SupportsFloat]
"""Scores by name, as Keras hands them to callbacks."""


class StoppingState(TypedDict):
    """What `EarlyStopping` has seen, in plain values."""

    wait: int
    best: float | None
    best_epoch: int


class TrainingFailed(RuntimeError):
    """A training has no result, as it would have none again; others may."""


class TrainingDiverged(TrainingFailed):
    """The loss is not a finite number any more."""


class ProgressLogger(keras.callbacks.Callback):
    """Logs epoch, loss, accuracy, images/s and the time left; stops a training whose loss is not finite.

    Args:
      task: what is trained, the first word of every line.
      total_steps: steps of the whole training.
      batch_size: images a step.
      steps_done: steps of an earlier run that this one resumes.
    """

    def __init__(self, task: str, total_steps: int, batch_size: int, steps_done: int = 0):
        super().__init__()
        self.task = task
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.steps_done = steps_done
        self.epoch = 0
        self.timed_from: tuple[float, int] | None = None  # when the first step ended, and its number
        self.epoch_from: tuple[float, int] | None = None  # the same of this epoch
        self.pace: dict[int, dict[str, float]] = {}  # by epoch from 0: images_per_second, and learning_rate at its end

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Says that the first step, which traces the network, is on its way."""
        if self.timed_from is None:
            report_progress(f"{self.task}: preparing the network")
        self.last_line = time.monotonic()
        self.last_step = (self.last_line, self.steps_done)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Notes the epoch for the lines to come."""
        self.epoch = epoch + 1
        self.epoch_from = None

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
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
        if self.epoch_from is None:
            self.epoch_from = (now, self.steps_done)
        self.last_step = (now, self.steps_done)
        if self.timed_from is None:  # the first step traced the network, so it tells nothing of the speed
            self.timed_from = (now, self.steps_done)
            return
        if now - self.last_line < SECONDS_BETWEEN_LINES and self.steps_done < self.total_steps:
            return
        self.last_line = now
        seconds_per_step = (now - self.timed_from[0]) / (self.steps_done - self.timed_from[1])
        left = clock((self.total_steps - self.steps_done) * seconds_per_step)
        accuracy, speed = float((logs or {}).get("accuracy", math.nan)), self.batch_size / seconds_per_step
        report_progress(
            f"{self.task}: epoch {self.epoch}, step {self.steps_done}/{self.total_steps}, loss {loss:.3f}, "
            f"accuracy {accuracy:.3f}, {speed:.0f} images/s, {left} left",
            self.steps_done,
            self.total_steps,
        )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Notes how fast the epoch's steps were, evaluation apart."""
        (started, first), (ended, last) = self.epoch_from or self.last_step, self.last_step
        speed = (last - first) * self.batch_size / (ended - started) if last > first else math.nan
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.pace[epoch] = {"learning_rate": rate, "images_per_second": round(speed, 1)}


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' early stopping on the val split's loss, whose memory outlasts one call of `fit` and can be saved.

    Args:
      patience: epochs without a lower `val_loss` before it stops.
    """

    def __init__(self, patience: int) -> None:
        super().__init__("val_loss", patience=patience, mode="min", restore_best_weights=True)
        self.best = None
        self.best_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Keeps what an earlier `fit` of the same training has seen, where Keras' own would forget it."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leaves the weights alone: another `fit` may follow; the caller takes `best_weights` at the end."""

    def get_state(self) -> StoppingState:
        """Everything but `best_weights`, in plain values."""
        best = None if self.best is None else float(self.best)
        return {"wait": self.wait, "best": best, "best_epoch": self.best_epoch}

    def set_state(self, state: StoppingState, best_weights: list[NDArray[np.generic]] | None) -> None:
        """Puts back what `get_state` returned."""
        self.wait, self.best, self.best_epoch = state["wait"], state["best"], state["best_epoch"]
        self.best_weights = best_weights


class StepTimer(keras.callbacks.Callback):
    """Times the first step, which traces the network, and those after it."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Starts the clock."""
        self.ends = [time.monotonic()]

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Notes the time."""
        self.ends.append(time.monotonic())

    @property
    def first_seconds(self) -> float:
        """Of the first step."""
        return self.ends[1] - self.ends[0]

    @property
    def seconds_per_step(self) -> float:
        """Of the others; of the only one where there are no others."""
        first = min(1, len(self.ends) - 2)
        return (self.ends[-1] - self.ends[first]) / (len(self.ends) - 1 - first)

    def epoch_seconds(self, steps: int, val_steps: int) -> float:
        """Forecast of an epoch of that many training steps, evaluation included.

        A step of evaluation has no backward pass, which is two thirds of a training step.
        """
        return self.seconds_per_step * (steps + val_steps / 3)
