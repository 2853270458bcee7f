"""Days of a project that retrains every night: the digits as they come in, and a clock that the test moves on."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from components.served_model.versions import pushed_models
from pipeline.history.metadata import RunRecord, all_runs
from pipeline.schedule.attempts import Attempt, Kind
from pipeline.schedule.coordinator import Coordinator
from pipeline.schedule.notes import day_start
from tests.pipeline.schedule.conftest import Clock
from tests.pipeline.schedule.receiver import Receiver

CLASSES = 4
A_DAY = 90  # images
MOST_WORSE = 0.1  # than the served model, on the same images
FIRST = date(2026, 3, 1)
# A small network, which learns four digits in seconds; the gate's floor is above what it can reach where half of the
# labels are guesses.
CONFIG = """
name: digits
data:
  path: photos/{SPAN}
  span: {last: today, allow_missing: true}
  split: {val: 0.1, eval: 0.3}
  min_images_per_class: 1
  near_duplicates: false
model: {phi: 0, base_width: 0.25, base_depth: 0.3, image_size: 32}
transform: {resize: squash}
train: {epochs: 30, batch_size: 16, checkpoint_seconds: 0.5}
tune: {enabled: false}
evaluate: {min_accuracy: 0.75, max_accuracy_drop: 0.1}
serving: {requests: 3}
schedule:
  cron: "0 2 * * *"
  timezone: Europe/Berlin
  window: 2
  warm_start: true
  retries: {times: 2, wait: 5m}
  alerts: {urls: ["${ALERT_URL}"]}
runners: {local: {root: build}}
"""


class Days:
    """A project's folder, its schedule and who is told."""

    def __init__(self, folder: Path, receiver: Receiver | None, *overrides: str):
        self.folder, self.receiver, self.overrides = folder, receiver, overrides
        self.clock = Clock(datetime(2026, 2, 28, 12, tzinfo=UTC))
        (folder / "pipeline.yaml").write_text(CONFIG)
        (folder / "photos").mkdir(exist_ok=True)
        digits = load_digits(n_class=CLASSES)
        mixed = np.random.default_rng(0).permutation(len(digits.target))  # they lie there by writer
        self.scans = digits.images[mixed] / 16 * 255
        self.labels = digits.target[mixed]
        self.coordinator().begin(self.clock())

    def coordinator(self) -> Coordinator:
        """A new one each day, as if the machine had been started anew."""
        return Coordinator(
            self.folder / "pipeline.yaml",
            self.overrides,
            clock=self.clock,
            wait=self.clock.wait,
            say=lambda line: print(line, flush=True),
        )

    @property
    def root(self) -> Path:
        return self.folder / "build" / "digits"

    def images_of(self, day: int) -> Path:
        return self.folder / "photos" / str(FIRST + timedelta(days=day - 1))

    def bring(
        self,
        day: int,
        batch: int,
        change: Callable[[np.ndarray], np.ndarray] = lambda scan: scan,
        relabel: Callable[[int], int] = lambda label: label,
    ) -> None:
        """Puts a batch of digits into the folder of a day."""
        for number in range(batch * A_DAY, (batch + 1) * A_DAY):
            folder = self.images_of(day) / str(relabel(int(self.labels[number])))
            folder.mkdir(parents=True, exist_ok=True)
            scan = change(self.scans[number]).astype(np.uint8)
            Image.fromarray(scan).resize((32, 32)).save(folder / f"{number}.png")

    def night(self, day: int) -> list[Attempt]:
        """The schedule's time on a day; returns the attempts that were made, and moves to the evening."""
        known = len(self.coordinator().store.attempts())
        self.clock.now = day_start(self.coordinator().config, FIRST + timedelta(days=day - 1)).replace(hour=2)
        self.coordinator().attend()
        return self.coordinator().store.attempts()[known:]

    def backfill(self, day: int) -> list[Attempt]:
        """A day's images that came late."""
        coordinator, span = self.coordinator(), FIRST + timedelta(days=day - 1)
        known = len(coordinator.store.attempts())
        coordinator.deal_with(Kind.BACKFILL, day_start(coordinator.config, span), str(span))
        return coordinator.store.attempts()[known:]

    def served(self) -> str:
        """The served version, "" for none; every version that is there is whole."""
        models = pushed_models(str(self.root / "served"))
        return models[0].version if models else ""

    def runs(self) -> list[RunRecord]:
        return all_runs(self.root / "metadata.sqlite")

    def trainings(self) -> int:
        """How many trainings came to their end."""
        steps = [run.steps["Trainer"] for run in self.runs() if "Trainer" in run.steps]
        return sum(step.done and not step.cached for step in steps)

    @contextmanager
    def killer(self, *moments: Callable[[str], bool]) -> Iterator[list[int]]:
        """Kills one run after the other, each when its moment has come; a moment is told the run's output."""
        killed: list[int] = []
        over = threading.Event()

        def watch() -> None:
            store = self.coordinator().store
            for moment in moments:
                while not over.is_set():
                    newest = store.attempts(1)
                    running = newest and newest[0].verdict == "running" and newest[0].process not in (None, *killed)
                    if running and Path(newest[0].log).exists() and moment(Path(newest[0].log).read_text()):
                        os.killpg(newest[0].process, signal.SIGKILL)
                        killed.append(newest[0].process)
                        break
                    time.sleep(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield killed
        finally:
            over.set()
            watcher.join()
