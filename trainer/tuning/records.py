"""What is known of every trial: a JSON file in its folder, from which ranking, table and figure are made.

Keras Tuner keeps a score and a status. These records add why a trial failed, how its epochs went and how long it took,
and are written by whichever process runs the trial.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from components.common import files
from components.common.events import report_progress

RECORD_FILE = "record.json"

Status = Literal["running", "completed", "stopped", "failed"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Args:
      trial: its number among all, as Keras Tuner names it.
      values: of the hyperparameters, by name.
      is_default: whether these are the values that a training without tuner takes.
      status: `stopped` is a trial that was given up as hopeless; neither it nor a `failed` one can win.
      attempts: how often it was begun.
      score: what it is ranked by, if it ended well.
      history: `val_loss` and `val_accuracy` of each epoch.
      seconds: that it took.
      reason: why it failed or was stopped, in a line.
    """

    trial: str
    values: dict[str, float]
    is_default: bool
    status: Status = "running"
    attempts: int = 1
    score: float | None = None
    history: tuple[dict[str, float], ...] = field(default=())
    seconds: float = 0.0
    reason: str = ""


def write_record(folder: str, record: TrialRecord) -> None:
    """Replaces the record in a trial's folder."""
    files.write_text(f"{folder}/{RECORD_FILE}", json.dumps(asdict(record)))


def read_record(folder: str) -> TrialRecord | None:
    """The record in a trial's folder, or None; a damaged one is none, and its trial is run again."""
    path = f"{folder}/{RECORD_FILE}"
    if not files.exists(path):
        return None
    try:
        content = json.loads(files.read_bytes(path))
        return TrialRecord(**{**content, "history": tuple(content["history"])})
    except (ValueError, TypeError, KeyError) as error:
        report_progress(f"tuner: {path} is damaged ({error})")
        return None


def read_records(project: str) -> list[TrialRecord]:
    """The records of all trials in a Keras Tuner project, by number."""
    folders = [path.rpartition("/")[0] for path in files.find(project, f"trial_*/{RECORD_FILE}")]
    return sorted((record for record in map(read_record, folders) if record), key=lambda record: int(record.trial))


def ranked(records: Sequence[TrialRecord], direction: str) -> list[TrialRecord]:
    """The trials that ran to their end, the best first; of equals the one that ran longer, then the earlier one."""
    sign = -1.0 if direction == "max" else 1.0
    completed = [record for record in records if record.status == "completed" and record.score is not None]
    return sorted(completed, key=lambda record: (sign * (record.score or 0.0), -len(record.history), int(record.trial)))
