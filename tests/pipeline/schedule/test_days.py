"""Nights of a project that retrains by itself, with real runs: what is served, what is told, and why."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.atomic_pusher.disk import INCOMING
from pipeline.history.report import find_report
from pipeline.schedule.attempts import Attempt, AttemptVerdict
from tests.e2e.user_project import BIN
from tests.pipeline.schedule.days import CLASSES, MOST_WORSE, Days
from tests.pipeline.schedule.receiver import listening

pytestmark = pytest.mark.tfx

PASSWORD = "hunter2"


@pytest.fixture
def receiver(monkeypatch):
    with listening(PASSWORD) as server:
        monkeypatch.setenv("ALERT_URL", server.url)
        yield server


class Recorder:
    """What was served and told before, to see what a day has changed."""

    def __init__(self, days: Days):
        self.days, self.served, self.told, self.trainings = days, "", 0, 0

    def check(self, attempts, verdict: AttemptVerdict, title: str, trained: bool = False) -> str:
        """The day ended so, one alert said it, and only a model that passed is served; returns why."""
        *before, last = attempts
        told = self.days.receiver.posts[self.told :]
        assert last.verdict is verdict, last
        assert [post["title"] for post in told] == [f"digits: {title}"]
        assert last.why in told[0]["message"]
        assert [one.settled for one in attempts] == [False] * len(before) + [True]
        served = self.days.served()
        assert (served != self.served) == (verdict is AttemptVerdict.PUSHED)
        assert (attempts[0].served_before, last.served_after) == (self.served, served)
        assert self.days.trainings() - self.trainings == trained
        if compared := re.search(r"accuracy ([\d.]+); version \d+ had ([\d.]+)", last.why):
            accuracy, before = map(float, compared.groups())
            assert accuracy >= before - MOST_WORSE
        self.served, self.told, self.trainings = served, self.told + len(told), self.days.trainings()
        return last.why


def darker(scan: np.ndarray) -> np.ndarray:
    return scan / 2


def test_three_nights(tmp_path, receiver):
    days = Days(tmp_path, receiver, "train.epochs=5", "evaluate.min_accuracy=0.2")
    recorder = Recorder(days)
    days.bring(1, batch=0)
    why = recorder.check(days.night(1), AttemptVerdict.PUSHED, "a new model is served", trained=True)
    assert re.match(r"version \d+, accuracy [01]\.\d+", why)

    why = recorder.check(days.night(2), AttemptVerdict.MISSING_DATA, "no data")
    assert why == "got no folder for the span 2026-03-02 (there are 2026-03-01)"

    # The same images once more.
    shutil.copytree(days.images_of(1), days.images_of(3))
    why = recorder.check(days.night(3), AttemptVerdict.NOTHING_NEW, "nothing new")
    assert why == "0 new images, at least 1 needed"


@pytest.mark.slow
def test_ten_days(tmp_path, receiver):
    days = Days(tmp_path, receiver)
    recorder = Recorder(days)
    pushed, refused = "a new model is served", "refused, what was served stays"

    days.bring(1, batch=0)
    recorder.check(days.night(1), AttemptVerdict.PUSHED, pushed, trained=True)
    days.bring(2, batch=1)
    recorder.check(days.night(2), AttemptVerdict.PUSHED, pushed, trained=True)

    # Day 3: nobody brought any.
    why = recorder.check(days.night(3), AttemptVerdict.MISSING_DATA, "no data")
    assert "2026-03-03" in why

    days.bring(4, batch=2)
    recorder.check(days.night(4), AttemptVerdict.PUSHED, pushed, trained=True)

    # Day 5: the labels are anybody's guess. The alert says so, and somebody moves the images away.
    guess = np.random.default_rng(5)
    days.bring(5, batch=3, relabel=lambda label: int(guess.integers(CLASSES)))
    why = recorder.check(days.night(5), AttemptVerdict.REFUSED, refused, trained=True)
    assert "accuracy" in why
    shutil.rmtree(days.images_of(5))

    # Day 6: what came on day 4 once more.
    shutil.copytree(days.images_of(4), days.images_of(6))
    why = recorder.check(days.night(6), AttemptVerdict.NOTHING_NEW, "nothing new")
    assert why == "0 new images, at least 1 needed"

    # Day 7: the lamp is broken.
    days.bring(7, batch=4, change=darker)
    why = recorder.check(days.night(7), AttemptVerdict.REFUSED, refused)
    assert "brightness drifted" in why
    shutil.rmtree(days.images_of(7))

    # Day 8: the first attempt is killed while it trains, the second while it pushes.
    days.bring(8, batch=5)

    def while_it_trains(output: str) -> bool:
        return any((days.root / "checkpoints").glob("*/state.npz"))

    def while_it_pushes(output: str) -> bool:
        if "GatedEvaluator" not in output:
            return False
        until = time.monotonic() + 60
        served = days.served()
        while time.monotonic() < until:
            if list((days.root / "served").glob(f"{INCOMING}*")) or days.served() != served:
                return True
            time.sleep(0.001)
        return False

    with days.killer(while_it_trains, while_it_pushes) as killed:
        attempts = days.night(8)
    assert len(killed) == 2
    assert [one.verdict for one in attempts] == [AttemptVerdict.KILLED, AttemptVerdict.KILLED, AttemptVerdict.PUSHED]
    assert [one.attempt for one in attempts] == [1, 2, 3]
    assert len({one.weights for one in attempts}) == 1
    assert "train: resuming" in Path(attempts[1].log).read_text()
    assert re.search(r"Trainer +from cache", Path(attempts[2].log).read_text())
    recorder.check(attempts, AttemptVerdict.PUSHED, pushed, trained=True)

    # Day 9: digits that lie on their side as well, which only a new model knows.
    days.bring(9, batch=6)
    days.bring(9, batch=7, change=np.rot90)
    attempts = days.night(9)
    why = recorder.check(attempts, AttemptVerdict.PUSHED, pushed, trained=True)
    accuracy, served = re.search(r"accuracy ([\d.]+); version \d+ had ([\d.]+)", why).groups()
    assert float(accuracy) > float(served) + 0.05
    nightly = len(days.coordinator().store.attempts())

    # Day 10: the images of day 3 have turned up.
    days.bring(3, batch=3)
    (attempt,) = days.backfill(3)
    assert attempt.spans == ("2026-03-02", "2026-03-03")
    recorder.check(
        [attempt], attempt.verdict, pushed if attempt.verdict is AttemptVerdict.PUSHED else refused, trained=True
    )
    assert days.coordinator().judged_span(attempt.slot, "2026-03-03") == attempt

    # Every day's last word is in the history, and in the report of the newest run.
    history = days.coordinator().store.attempts()
    assert len(history) == nightly + 1
    html = find_report(days.coordinator().config, days.runs()[-1]).read_text(encoding="utf-8")
    section = html.partition('<section id="schedule">')[2].partition("</section>")[0]
    for verdict in ("pushed", "missing data", "refused", "nothing new", "killed"):
        assert f"<strong>{verdict}</strong>" in section
    everything = [path.read_text(errors="replace") for path in (days.root / "schedule").rglob("*.*")]
    assert not any(PASSWORD in text for text in [html, *everything])


def alive(group: int) -> bool:
    """Whether a process of the group is left."""
    stats = (path.read_text() for path in Path("/proc").glob("[0-9]*/stat"))
    fields = [text.rpartition(")")[2].split() for text in stats]
    return any(int(each[2]) == group and each[0] != "Z" for each in fields)


@pytest.mark.slow
def test_what_a_killed_and_a_stopped_scheduler_leave_the_next_one_brings_to_its_end(tmp_path, receiver):
    days = Days(tmp_path, receiver)
    days.bring(1, batch=0)
    settings = (
        "schedule.cron='* * * * *'",
        "schedule.catch_up=all",
        "schedule.retries.wait=1s",
        "data.span.last=latest",
        "train.epochs=100",
    )
    command = [BIN / "effnet", "schedule", "start", *(part for setting in settings for part in ("--set", setting))]
    store = days.coordinator().store

    def start() -> subprocess.Popen:
        with (tmp_path / "scheduler.log").open("ab") as log:
            return subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)

    def come(scheduler: subprocess.Popen, wanted: Callable[[Attempt], bool]) -> Attempt:
        until = time.monotonic() + 900
        while time.monotonic() < until:
            assert scheduler.poll() is None, (tmp_path / "scheduler.log").read_text()
            # Not only the newest: with the next minute comes the next time.
            if found := [attempt for attempt in store.attempts() if wanted(attempt)]:
                return found[-1]
            time.sleep(0.2)
        raise TimeoutError((tmp_path / "scheduler.log").read_text())

    def trains(number: int) -> Callable[[Attempt], bool]:
        """Attempt `number` runs, and has saved what it trained."""
        return lambda attempt: bool(
            attempt.process is not None
            and attempt.attempt == number
            and attempt.verdict is AttemptVerdict.RUNNING
            and re.search("train: (epoch|resuming)", Path(attempt.log).read_text())  # few epochs may be left to tell of
            and any((days.root / "checkpoints").glob("*/state.npz"))
        )

    scheduler = start()
    try:
        first = come(scheduler, trains(1))
        scheduler.kill()
        scheduler.wait()
        assert alive(first.process)  # nobody was left to end it

        scheduler = start()
        second = come(scheduler, trains(2))
        assert not alive(first.process)
        scheduler.terminate()
        assert scheduler.wait(timeout=60) == 0
        assert not alive(second.process)

        scheduler = start()
        come(scheduler, lambda attempt: attempt.verdict is AttemptVerdict.PUSHED)
        scheduler.terminate()
        assert scheduler.wait(timeout=60) == 0
    finally:
        scheduler.kill()
        scheduler.wait()
    made = [attempt for attempt in store.attempts() if attempt.attempt]
    assert [attempt.verdict for attempt in made] == [
        AttemptVerdict.KILLED,
        AttemptVerdict.INTERRUPTED,
        AttemptVerdict.PUSHED,
    ]
    assert len({attempt.slot for attempt in made}) == 1
    assert all("train: resuming" in Path(attempt.log).read_text() for attempt in made[1:])
    assert days.trainings() == 1
    assert [post["title"] for post in receiver.posts[:1]] == ["digits: a new model is served"]
