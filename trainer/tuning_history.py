"""Which searches were made, and when the last result is good enough to be taken over: `tune.when`.

<root>/history.json     one entry for each time that the Tuner step ran
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import tensorflow as tf

from trainer.job import TrainingJob
from trainer.settings import Every, TuneSettings

HISTORY_FILE = "history.json"


@dataclass(frozen=True)
class TunerRun:
    """One run of the Tuner step.

    Args:
      subject: what was asked, see `subject_of`.
      searched: whether it searched or took over an earlier result.
      values: the hyperparameters that it gave.
      source: the artifact of the search that found them; "" for published values.
      time: of that search, ISO 8601 in UTC; "" for published values.
    """

    subject: str
    searched: bool
    values: dict[str, float]
    source: str
    time: str


def subject_of(job: TrainingJob, settings: TuneSettings) -> str:
    """A hash of the question that a search answers, whatever its data and its budget: network, recipe and ranges.

    The answer to another question is not taken over.
    """
    question = {
        "model": job.config["model"],
        "image_size": job.image_size,
        "recipe": job.settings.recipe,
        "ranges": settings.ranges,
    }
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:32]


def last_good(when: object, subject: str, history: Sequence[TunerRun]) -> TunerRun | None:
    """The search whose result is taken over, or None where a new one is due.

    With `never`, and nothing to take over, it is a run without values: the published ones hold.
    """
    runs = [run for run in history if run.subject == subject]
    searches = [number for number, run in enumerate(runs) if run.searched]
    if when == "never" and not searches:
        return TunerRun(subject, False, {}, "", "")
    if when == "always" or not searches:
        return None
    taken_over = len(runs) - 1 - searches[-1]
    if isinstance(when, Every) and taken_over + 1 >= when.every:
        return None
    return runs[searches[-1]]


def read_history(root: str) -> list[TunerRun]:
    """All runs, the oldest first."""
    path = f"{root}/{HISTORY_FILE}"
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return [TunerRun(**entry) for entry in json.loads(file.read())]


def add_to_history(root: str, run: TunerRun) -> None:
    """Appends a run; a kill leaves either the old or the new file."""
    path = f"{root}/{HISTORY_FILE}"
    entries = [asdict(entry) for entry in (*read_history(root), run)]
    tf.io.gfile.makedirs(root)
    with tf.io.gfile.GFile(f"{path}.new", "w") as file:
        file.write(json.dumps(entries, indent=1))
    tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
