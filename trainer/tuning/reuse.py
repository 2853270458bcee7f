"""Which searches were made, and when the last result is good enough to be taken over: `tune.when`.

<root>/history.json     one entry for each time that the Tuner step ran; components/tuner/drift.py reads it too
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from fasteners import InterProcessLock
from pydantic import TypeAdapter

from components.common import files
from components.common.errors import one_line
from components.common.events import report_progress
from trainer.job import TrainingJob
from trainer.settings import Every, TuneSettings

HISTORY_FILE = "history.json"


@dataclass(frozen=True)
class TunerRun:
    """One run of the Tuner step.

    Args:
      subject: the question, see `subject_of`.
      searched: whether it searched or took over an earlier result.
      values: the hyperparameters that it gave.
      source: the artifact of the search that found them; "" for published values.
      time: of that search, ISO 8601 in UTC; "" for published values.
      profile: of the images of that search, as the Tuner component measured it.
    """

    subject: str
    searched: bool
    values: dict[str, float]
    source: str
    time: str
    profile: dict[str, dict[str, int]] = field(default_factory=dict)


_HISTORY = TypeAdapter(list[TunerRun])


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


def last_good(
    settings: TuneSettings, subject: str, history: Sequence[TunerRun], drift: Mapping[str, float]
) -> TunerRun | None:
    """The search whose result is taken over, or None where a new one is due.

    With `never`, and nothing to take over, it is a run without values: the published ones hold.

    Args:
      settings: `when` decides.
      subject: of this run.
      history: all earlier runs.
      drift: how far the images have moved, 0 to 1, by the `source` of a search; one that is missing counts as far.
    """
    when = settings.when
    runs = [run for run in history if run.subject == subject]
    searches = [number for number, run in enumerate(runs) if run.searched]
    if when == "never" and not searches:
        return TunerRun(subject, False, {}, "", "")
    if when == "always" or not searches:
        return None
    taken_over = len(runs) - 1 - searches[-1]
    if isinstance(when, Every) and taken_over + 1 >= when.every:
        return None
    last = runs[searches[-1]]
    if settings.drift_limit is not None and drift.get(last.source, 1.0) > settings.drift_limit:
        return None
    return last


def read_history(root: str) -> list[TunerRun]:
    """All runs, the oldest first; a damaged file, as earlier versions left after a power cut, is none."""
    path = f"{root}/{HISTORY_FILE}"
    if not files.exists(path):
        return []
    try:
        return _HISTORY.validate_json(files.read_bytes(path))
    except ValueError as error:
        report_progress(f"tuner: the history of searches in {path} is damaged ({one_line(error)}); starting anew")
        return []


def add_to_history(root: str, run: TunerRun) -> None:
    """Appends a run; a kill leaves either the old or the new file, and another run's entry is not lost on a disk."""
    with contextlib.nullcontext() if files.is_remote(root) else InterProcessLock(f"{root}/{HISTORY_FILE}.lock"):
        entries = [asdict(entry) for entry in (*read_history(root), run)]
        files.write_text(f"{root}/{HISTORY_FILE}", json.dumps(entries, indent=1))
