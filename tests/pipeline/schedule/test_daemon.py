"""The scheduler that waits: times that passed before it started, a clock that is set, an edit while it runs, a stop."""

import datetime
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipeline.schedule import daemon
from pipeline.schedule.coordinator import Coordinator
from tests.pipeline.schedule.helpers import until, verdicts

MISSING = "missing data"


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(daemon, "LOOK_SECONDS", 0.05)


@contextmanager
def running(coordinator: Coordinator, lines: list[str]) -> Iterator[None]:
    """The scheduler in a thread, which takes no signals, once it has said something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "handling", lambda *_: contextmanager(lambda: (yield))())
        scheduler = threading.Thread(target=daemon.start, args=(coordinator,))
        scheduler.start()
        try:
            until(lambda: lines)
            yield
        finally:
            coordinator.stop.set()
            scheduler.join(20)
    assert not scheduler.is_alive()


def slots(coordinator: Coordinator) -> list[str]:
    return [f"{attempt.slot:%m-%d %H:%M}" for attempt in coordinator.store.attempts()]


def stays(condition: Callable[[], bool], seconds: float = 0.5) -> None:
    """Several looks at the clock change nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition()
        time.sleep(0.05)


def test_a_time_that_passed_while_nothing_ran_is_dealt_with_at_the_start(stand_in):
    coordinator = stand_in.coordinator()
    coordinator.begin(coordinator.clock())
    stand_in.clock.at(2026, 3, 4, 12)  # three nights later
    with running(coordinator, stand_in.lines):
        until(lambda: len(slots(coordinator)) == 2)
    assert slots(coordinator) == ["03-03 02:00", "03-04 02:00"]
    assert verdicts(coordinator) == ["missed", MISSING]
    assert stand_in.lines[0] == "flowers: '0 2 * * *' UTC, next at 2026-03-05 02:00 UTC"


def test_it_fires_once_when_the_clock_comes_to_the_time_and_when_it_jumps_over_several(stand_in):
    coordinator = stand_in.coordinator()
    with running(coordinator, stand_in.lines):
        stays(lambda: not slots(coordinator))
        stand_in.clock.at(2026, 3, 2, 2)
        until(lambda: slots(coordinator))
        stays(lambda: slots(coordinator) == ["03-02 02:00"])
        stand_in.clock.at(2026, 3, 5, 3)  # the machine was suspended
        until(lambda: len(slots(coordinator)) == 3)
    assert slots(coordinator) == ["03-02 02:00", "03-04 02:00", "03-05 02:00"]
    assert verdicts(coordinator) == [MISSING, "missed", MISSING]


def test_a_clock_that_was_a_year_ahead_and_is_corrected_holds_nothing_up(stand_in):
    right = stand_in.clock.now
    coordinator = stand_in.coordinator()
    stand_in.clock.at(2027, 3, 1, 12)
    with running(coordinator, stand_in.lines):
        time.sleep(0.3)
        stand_in.clock.now = right
        time.sleep(0.3)
        stand_in.clock.at(2026, 3, 2, 2)
        until(lambda: slots(coordinator))
    assert slots(coordinator) == ["03-02 02:00"]


def test_another_cron_expression_is_adopted_while_it_waits(stand_in):
    coordinator = stand_in.coordinator()
    with running(coordinator, stand_in.lines):
        path = stand_in.folder / "pipeline.yaml"
        path.write_text(path.read_text().replace("0 2 * * *", "30 13 * * *"))
        until(lambda: coordinator.store.get("cron") == "UTC 30 13 * * *")
        stand_in.clock.at(2026, 3, 1, 13, 30)
        until(lambda: slots(coordinator))
    assert slots(coordinator) == ["03-01 13:30"]


def test_what_fails_is_reported_without_its_secrets_and_tried_again_soon(stand_in, monkeypatch):
    monkeypatch.setattr(daemon, "SOON", datetime.timedelta(seconds=0.1))
    coordinator = stand_in.coordinator()
    attend, calls = coordinator.attend, []

    def fails_at_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("s3://bucket is gone, --s3_secret_access_key=hunter22")
        attend()

    coordinator.attend = fails_at_first
    coordinator.debug = True
    with running(coordinator, stand_in.lines):
        until(lambda: len(calls) == 2)
    shown = "\n".join(stand_in.lines)
    assert "error: s3://bucket is gone" in shown and "Traceback" in shown
    assert "hunter22" not in shown


SIGNALLED = """
import signal, sys, threading, time
from pathlib import Path
from pipeline.schedule import daemon
from pipeline.schedule.coordinator import Coordinator

coordinator = Coordinator(Path(sys.argv[1]))
end, signals = time.monotonic() + 1, 0
while time.monotonic() < end:
    coordinator.stop = threading.Event()
    with daemon.stop_when_signalled(coordinator):
        taken = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGALRM, taken)  # a timer's signal comes anywhere, also within `wait`
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + signals % 100 * 1e-6)
        while not coordinator.stop.is_set():
            coordinator.stop.wait(1e-5)
    signals += 1
print(signals)
"""


def test_a_signal_at_any_moment_of_a_wait_is_a_stop_and_no_deadlock(stand_in):
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(stand_in.folder / "pipeline.yaml")],
        capture_output=True,
        text=True,
        timeout=120,  # a deadlock; to import all this takes a loaded machine long
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.parametrize("deaf", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_signal_ends_a_run_under_way_within_ten_seconds(stand_in, deaf):
    script = stand_in.folder / "run.py"
    if deaf:
        script.write_text(f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{script.read_text()}")
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""))
    coordinator = stand_in.coordinator()
    coordinator.begin(coordinator.clock())
    stand_in.clock.at(2026, 3, 2, 2)
    child = stand_in.folder / "child"
    signalled = []

    def signal_it() -> None:
        until(lambda: child.exists() and child.read_text())
        signalled.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        watcher = threading.Thread(target=signal_it)
        watcher.start()
        daemon.start(coordinator)
        took = time.monotonic() - signalled[0]
        watcher.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert took < 10
    assert verdicts(coordinator) == ["interrupted"]
    assert stand_in.lines[-1] == "flowers: stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)
