"""A killed training resumes where it was: its state in one file beside the pipeline's artifacts.

Keras' BackupAndRestore resumes at whole epochs, and leaves out dropout's random numbers, averaged weights and what
early stopping has seen.

    <root>/<key>/state.npz      the key is a hash of all that the training depends on
"""

import contextlib
import errno
import io
import json
import math
import struct
import time
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from typing import NotRequired, TypedDict

import keras
import numpy as np
from numpy.typing import NDArray

from components.common import files
from components.common.claims import LOCK_FILE, Claim
from components.common.events import report_progress
from trainer.fit.callbacks import EarlyStopping, Logs, StoppingState
from trainer.fit.ema import WeightAverage

STATE_FILE = "state.npz"
MOST_TIME_SAVING = 0.02  # of the training's time
# What NumPy and zipfile raise over damaged files.
_DAMAGE = (
    zipfile.BadZipFile, OSError, LookupError, ValueError, TypeError, EOFError, RuntimeError, OverflowError, MemoryError,
    struct.error, zlib.error, AttributeError,
)  # fmt: skip
KEPT_SECONDS = 7 * 24 * 3600  # that the state of an abandoned training is kept


@dataclass
class TrainingProgress:
    """Where a training is, in plain values."""

    epoch: int = 0  # that runs next or now, from 0
    step: int = 0  # of this epoch, from 0
    batch_size: int = 0
    history: list[dict[str, float]] = field(default_factory=list)  # logs of the finished epochs


class SavedMeta(TypedDict):
    """What a checkpoint has beside arrays."""

    progress: dict[str, object]  # the fields of `TrainingProgress`
    swapped: NotRequired[bool]  # of a `WeightAverage`
    stopping: NotRequired[StoppingState]


@dataclass(frozen=True)
class State:
    """All that a training changes as it goes: what is saved and restored."""

    model: keras.Model
    average: WeightAverage | None
    stopping: EarlyStopping | None

    @property
    def variables(self) -> list[keras.Variable]:
        """Weights, random states, the optimiser's and the averages, always in the same order."""
        averages = self.average.variables if self.average else []
        return [*self.layer_variables, *self.model.optimizer.variables, *averages]

    @property
    def layer_variables(self) -> list[keras.Variable]:
        """The first of `variables`: weights and random states."""
        return [variable for layer in self.model.layers for variable in layer.variables]


class CheckpointStore:
    """The file of one training under a root that it shares with other trainings.

    The same training in another process at the same time has a file of its own.

    Args:
      root: folder, local or remote; made if it is local.
      key: what tells this training from others.
    """

    def __init__(self, root: str, key: str) -> None:
        self.root = root
        self._claim = Claim(f"{root}/{key}")
        self.folder = self._claim.folder
        self.path = f"{self.folder}/{STATE_FILE}"

    def save(self, progress: TrainingProgress, state: State) -> None:
        """Replaces the file in one go: a kill or a power cut leaves either the old or the new one."""
        meta: SavedMeta = {"progress": asdict(progress)}
        arrays = {f"variable{i}": keras.ops.convert_to_numpy(value) for i, value in enumerate(state.variables)}
        if state.average:
            meta["swapped"] = state.average.swapped
        if state.stopping:
            meta["stopping"] = state.stopping.get_state()
            arrays |= {f"best{i}": value for i, value in enumerate(state.stopping.best_weights or [])}
        content = io.BytesIO()
        np.savez(content, meta=np.array(json.dumps(meta)), **arrays)
        files.write_bytes(self.path, content.getvalue())

    def load(self) -> "Saved | None":
        """What was saved last, or None; a damaged file is none."""
        try:
            with np.load(io.BytesIO(files.read_bytes(self.path)), allow_pickle=False) as content:
                arrays = dict(content)
            meta = json.loads(str(arrays.pop("meta")))
            return Saved(TrainingProgress(**meta["progress"]), meta, arrays)
        except FileNotFoundError:
            return None
        except _DAMAGE as error:
            report_progress(f"train: the saved state in {self.path} is damaged ({error}); starting anew")
            return None

    def release(self) -> None:
        """Leaves the file to other processes; the end of this one does so, too."""
        self._claim.release()

    def remove(self) -> None:
        """Forgets this training."""
        _delete(self.folder)
        self.release()

    def remove_old(self) -> None:
        """Forgets other trainings that were not resumed for a week; younger ones may only be interrupted."""
        for name in (STATE_FILE, LOCK_FILE):  # one that was killed before its first save has the lock alone
            for path in files.find(self.root, f"*/{name}"):
                folder = path.rpartition("/")[0]
                if folder != self.folder and time.time() - _last_change(folder) > KEPT_SECONDS:
                    _delete(folder)


def _last_change(folder: str) -> float:
    """When a training was saved last, in seconds since 1970, or begun; never, where another run deleted it just now."""
    for name in (STATE_FILE, LOCK_FILE):
        with contextlib.suppress(FileNotFoundError):
            return files.status(f"{folder}/{name}").modified
    return math.inf


def _delete(folder: str) -> None:
    """Deletes a folder that another run may delete, or find free and begin to use, at the same time."""
    try:
        files.delete(folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise


@dataclass(frozen=True)
class Saved:
    """A training's state, read from its file."""

    progress: TrainingProgress
    meta: SavedMeta
    arrays: dict[str, NDArray[np.generic]]

    def restore_layers(self, state: State) -> None:
        """Puts weights and random states back: all that a phase has from the one before it."""
        for index, variable in enumerate(state.layer_variables):
            variable.assign(self.arrays[f"variable{index}"])

    def restore(self, state: State) -> None:
        """Puts everything back in place.

        Raises:
          ValueError: the state is not of such a training.
        """
        variables = state.variables
        arrays = [self.arrays[name] for name in self.arrays if name.startswith("variable")]
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
            raise ValueError(f"the checkpoint's {len(arrays)} variables are not the {len(variables)} of this training")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        if state.average:
            state.average.swapped = self.meta["swapped"]
        if state.stopping:
            best = [self.arrays[name] for name in self.arrays if name.startswith("best")]
            state.stopping.set_state(self.meta["stopping"], best or None)


class Checkpointing(keras.callbacks.Callback):
    """Saves every so many seconds, in mid-epoch too.

    Must be the last callback, so that the others have done their part.

    Args:
      store: where to.
      progress: where the training is; kept up to date.
      state: what is saved.
      steps_per_epoch: of a whole epoch.
      seconds: between two savings; longer where saving takes more than 2 % of the time.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        progress: TrainingProgress,
        state: State,
        steps_per_epoch: int,
        seconds: float,
    ) -> None:
        super().__init__()
        self.store = store
        self.progress = progress
        self.state = state
        self.steps_per_epoch = steps_per_epoch
        self.seconds = seconds
        self.next_time = time.monotonic() + seconds

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Notes the step."""
        self.progress.step += 1
        # After the last step there is still the evaluation, which belongs to the epoch.
        if self.progress.step < self.steps_per_epoch:
            self._save_if_due()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Notes the epoch and its logs."""
        self.progress.epoch, self.progress.step = epoch + 1, 0
        self.progress.history.append({name: float(value) for name, value in (logs or {}).items()})
        self._save_if_due()

    def _save_if_due(self) -> None:
        started = time.monotonic()
        if self.store is None or started < self.next_time:
            return
        self.store.save(self.progress, self.state)
        now = time.monotonic()
        self.next_time = now + max(self.seconds, (now - started) / MOST_TIME_SAVING if self.seconds else 0.0)
