"""Keras Tuner's loop over trials: each is run on the shared network and recorded, however it ends."""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from components.common.events import report_progress
from components.common.human_format import clock
from components.common.printable import printable
from trainer.fit.callbacks import Logs, ProgressLogger, TrainingDiverged, TrainingFailed
from trainer.tuning.head_study import HeadStudy
from trainer.tuning.oracles import SearchOracle, plan_of, searched_values
from trainer.tuning.records import Status, TrialRecord, ranked, read_record, read_records, write_record
from trainer.tuning.shared_network import Study
from trainer.tuning.table import shown_rows

PROJECT = "search"  # Keras Tuner's folder for the trials
LEAST_PEERS = 3  # finished trials before another can be called hopeless
MOST_ATTEMPTS = 3  # a trial that is killed that often is what kills the process
SECONDS_BETWEEN_QUESTIONS = 0.2  # of a worker that waits for others; Keras Tuner would ask without a pause


class TrialLoop(BaseTuner):
    """Keras Tuner's loop, whose state is in its directory as soon as it changes.

    Args:
      oracle: proposes the trials; its file is the state.
      directory: of this search alone; a search that is already there is resumed.
    """

    def __init__(self, oracle: SearchOracle, directory: str) -> None:
        super().__init__(oracle=oracle, directory=directory, project_name=PROJECT)
        self.direction = oracle.objective.direction

    def _get_tuner_fname(self) -> str:
        """The oracle's file: Keras Tuner's other one holds nothing, and need not be whole for a search to go on."""
        return f"{self.project_dir}/oracle.json"

    def save(self) -> None:
        """Saves the oracle, unless another process has it."""
        if not self._is_worker():
            self.oracle.save()


class RecordedTrials(TrialLoop):
    """Runs trials and records each, however it ends; a subclass says how one is trained."""

    def values_of(self, trial: Trial) -> dict[str, float]:
        """What tells the trial from others, for its record."""
        return searched_values(trial.hyperparameters.values)

    def is_default(self, values: Mapping[str, float]) -> bool:
        """Whether these are the values that a training without a search would take."""
        raise NotImplementedError

    def train(self, trial: Trial, record: TrialRecord, watch: "History") -> TrialRecord:
        """Trains, and returns the record of a trial that ended well."""
        raise NotImplementedError

    def show(self, record: TrialRecord) -> None:
        """Says how a trial ended."""
        raise NotImplementedError

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Keras Tuner's hook: trains with the trial's values and returns the last epoch's scores.

        Raises:
          FailedTrialError: the loss is not finite, or the memory does not suffice; the search goes on.
          FatalError: anything else, which no other trial would escape.
        """
        folder = f"{self.project_dir}/trial_{trial.trial_id}"
        values = self.values_of(trial)
        earlier = read_record(folder)
        if earlier and earlier.status in ("completed", "stopped"):
            return dict(earlier.history[-1])  # it was killed before Keras Tuner knew
        attempts = earlier.attempts + 1 if earlier and earlier.status == "running" else 1
        record = TrialRecord(trial.trial_id, values, self.is_default(values), attempts=attempts)
        write_record(folder, record)
        started = time.monotonic()
        watch = History()
        try:
            if attempts > MOST_ATTEMPTS:
                raise TrialKilled(f"the process was killed in each of {MOST_ATTEMPTS} attempts, maybe out of memory")
            record = self.train(trial, record, watch)
        except (TrainingFailed, TrialKilled, MemoryError, tf.errors.ResourceExhaustedError) as error:
            reason = _first_line(error)
            record = replace(record, status="failed", reason=reason, history=tuple(watch.epochs))
            raise keras_tuner.errors.FailedTrialError(reason) from error
        except Exception as error:
            raise keras_tuner.errors.FatalError(_first_line(error)) from error
        finally:
            write_record(folder, replace(record, seconds=time.monotonic() - started))
            if record.status != "running":
                self.show(record)
        return dict(record.history[-1])


class TrialRunner(RecordedTrials):
    """Runs trials on the network of a study.

    Args:
      oracle: proposes the trials.
      directory: of this search alone.
      study: trains them.
      announces: says how long it will take; of several workers one does.
    """

    def __init__(self, oracle: SearchOracle, directory: str, study: Study | HeadStudy, announces: bool = True) -> None:
        super().__init__(oracle, directory)
        self.study = study
        self.announces = announces
        self.plan = plan_of(oracle, study.settings)

    def on_search_begin(self) -> None:
        """Says how much there is to do and how long it will take."""
        per_epoch = self.study.seconds_per_epoch()
        if not self.announces:
            return
        done = [record for record in read_records(self.project_dir) if record.status != "running"]
        settings = self.study.settings
        epochs_left = max(self.plan.epochs - sum(len(record.history) for record in done), 0)
        earlier = f" ({len(done)} done by an earlier run)" if done else ""
        left = clock(per_epoch * epochs_left / settings.parallel)
        report_progress(
            f"tune: {self.plan.trials} trials{earlier}, {self.plan.epochs} epochs of {self.study.steps_per_epoch} "
            f"steps in all, about {left}"
        )

    def pre_create_trial(self) -> None:
        """Keras Tuner's hook: waits a little, since other workers may have to end before there is another trial."""
        if self._is_worker():
            time.sleep(SECONDS_BETWEEN_QUESTIONS)

    def show(self, record: TrialRecord) -> None:
        """Says how a trial ended, with the table of all."""
        records = read_records(self.project_dir)
        ranking = ranked(records, self.direction)
        name = self.oracle.objective.name
        outcome = record.reason or f"{name} {record.score:.4f}"
        if record.status == "failed":
            outcome = f"failed: {outcome}"
        best = f"; best {ranking[0].score:.4f} of trial {int(ranking[0].trial) + 1}" if ranking else ""
        report_progress(
            f"{self._title(record)}: {outcome}{best}",
            sum(one.status != "running" for one in records),
            self.plan.trials,
            shown_rows(records, ranking),
        )

    def _title(self, record: TrialRecord) -> str:
        shown = ", ".join(f"{name.removesuffix('_rate')} {value:.3g}" for name, value in record.values.items())
        return f"tune: trial {int(record.trial) + 1}/{self.plan.trials} ({shown})"

    def is_default(self, values: Mapping[str, float]) -> bool:
        """Whether no value is another than its default."""
        return all(value == self.study.defaults[name] for name, value in values.items())

    def train(self, trial: Trial, record: TrialRecord, watch: "History") -> TrialRecord:
        """Trains the study's network with the trial's values."""
        epochs = int(trial.hyperparameters.values.get("tuner/epochs", self.study.settings.epochs))
        task = self._title(record)
        objective = self.oracle.objective
        stop = StopHopeless(objective.name, objective.direction, self._peers(), epochs)
        progress = ProgressLogger(task, self.study.steps_per_epoch * epochs, self.study.batch_size)
        self.study.train(record.values, epochs, [progress, watch, stop])
        score = watch.epochs[-1][objective.name]
        if not math.isfinite(score):
            raise TrainingDiverged(f"{task}: {objective.name} is {score} after epoch {len(watch.epochs)}")
        status: Status = "stopped" if stop.reason else "completed"
        return replace(record, status=status, score=score, history=tuple(watch.epochs), reason=stop.reason)

    def _peers(self) -> list[list[float]]:
        """The scores of finished trials by epoch; none where trials are not to be stopped.

        Hyperband gives up the worse half by itself.
        """
        settings = self.study.settings
        if not settings.stop_hopeless or settings.algorithm == "hyperband":
            return []
        records = read_records(self.project_dir)
        name = self.oracle.objective.name
        return [[epoch[name] for epoch in record.history] for record in records if record.status == "completed"]


class TrialKilled(RuntimeError):
    """A trial has ended its process again and again."""


class StopHopeless(keras.callbacks.Callback):
    """Stops a trial that is behind the median of its peers: the median rule of Google Vizier, section 3.3.

    Strong regularisation learns more slowly at first, so nothing is stopped in the first half of the epochs.

    Args:
      name: of the score.
      direction: "min" or "max".
      peers: scores of finished trials, by epoch.
      epochs: of the trial.
    """

    def __init__(self, name: str, direction: str, peers: Sequence[Sequence[float]], epochs: int) -> None:
        super().__init__()
        self.name = name
        self.sign = -1.0 if direction == "max" else 1.0
        self.peers = peers
        self.epochs = epochs
        self.reason = ""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compares, from half of the epochs on and before the last."""
        done = epoch + 1
        scores = [peer[epoch] for peer in self.peers if len(peer) > epoch]
        if not self.epochs / 2 <= done < self.epochs or len(scores) < LEAST_PEERS:
            return
        score, median = float((logs or {})[self.name]), statistics.median(scores)
        if self.sign * score > self.sign * median:
            self.reason = f"stopped after epoch {done}: {self.name} {score:.4f}, the median is {median:.4f}"
            self.model.stop_training = True


class History(keras.callbacks.Callback):
    """Keeps each epoch's scores, also of a trial that fails later."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Takes the epoch's scores."""
        scores = logs or {}
        self.epochs.append({name: float(scores[name]) for name in ("val_loss", "val_accuracy")})


def _first_line(error: BaseException) -> str:
    """The error's first line: TensorFlow's go on with the whole traceback of a graph. Its type where it has no line."""
    return printable(next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__))
