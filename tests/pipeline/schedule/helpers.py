"""What tests of the schedule share: its commands, other processes in its way, and what its history says."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind
from pipeline.schedule.notes import note_of

EFFNET = Path(sys.executable).with_name("effnet")
CONFIG = """
name: flowers
data: {path: 'photos/{SPAN}', span: {last: today}}
evaluate: {min_accuracy: 0.5, max_accuracy_drop: 0.0}
schedule: {cron: '0 2 * * *', timezone: Europe/Berlin}
runners: {local: {root: build}}
"""
REFUSED = (4, "error: the data is not fit to train on: brightness drifted")


def left_running(coordinator, slot, kind: Kind) -> Attempt:
    """The note of an attempt whose scheduler died with it."""
    note = note_of(coordinator.config, coordinator.clock(), slot, kind, AttemptVerdict.RUNNING, "4 new images")
    return coordinator.store.note(replace(note, attempt=1, settled=False, ended=None))


@contextmanager
def held(folder: Path, name: str):
    """Another process that holds a lock until it is killed."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom pipeline.run_lock import hold\n"
        "with hold(Path(sys.argv[1]), sys.argv[2]):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(folder), name], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()


def until(there, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def verdicts(coordinator) -> list[str]:
    return [attempt.verdict for attempt in coordinator.store.attempts()]


def schedule(folder: Path, *arguments: str, columns: int = 200) -> subprocess.CompletedProcess:
    environment = {**os.environ, "COLUMNS": str(columns), "HOME": str(folder)}
    return subprocess.run(
        [EFFNET, "schedule", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, env=environment
    )
