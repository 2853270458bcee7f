"""What is made of runs, schedulers and disks that are killed, hang or go away."""

import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.schedule import coordinator as coordinator_module
from pipeline.schedule.attempts import AttemptVerdict, Kind
from pipeline.schedule.process import run_child
from tests.pipeline.schedule.helpers import REFUSED, left_running, until, verdicts


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_beyond_its_time_limit_ends_with_all_its_children(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""))
    coordinator = stand_in.coordinator("schedule.time_limit=2s", "schedule.retries.times=0")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    (made,) = coordinator.store.attempts()
    assert made.verdict is AttemptVerdict.TIMED_OUT
    assert "schedule.time_limit, 2s" in made.why
    assert not alive(int((stand_in.folder / "child").read_text()))


def test_a_killed_run_and_a_killed_attendant_are_both_told_apart_and_gone_on_with(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""), ("work", ""), REFUSED)
    coordinator = stand_in.coordinator("schedule.retries.wait=1m")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)

    def kill_the_run() -> None:
        until((stand_in.folder / "child").exists)
        (running,) = coordinator.store.attempts()
        os.killpg(running.process, signal.SIGKILL)
        (stand_in.folder / "child").unlink()
        until((stand_in.folder / "child").exists)
        coordinator.stop.set()  # what SIGTERM does

    killer = threading.Thread(target=kill_the_run)
    killer.start()
    coordinator.attend()
    killer.join()
    assert verdicts(coordinator) == [AttemptVerdict.KILLED, AttemptVerdict.INTERRUPTED]
    assert "SIGKILL" in coordinator.store.attempts()[0].why
    stand_in.clock.at(2026, 3, 2, 8, 0)
    stand_in.coordinator("schedule.retries.wait=1m").attend()
    assert verdicts(coordinator) == [AttemptVerdict.KILLED, AttemptVerdict.INTERRUPTED, AttemptVerdict.REFUSED]


def test_an_attempt_that_died_with_its_attendant_is_closed_and_tried_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    slot = stand_in.clock.now.replace(day=2, hour=2)
    left_running(coordinator, slot, Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 2, 9, 0)
    coordinator.attend()
    killed, refused = coordinator.store.attempts()
    assert [(one.verdict, one.attempt) for one in (killed, refused)] == [
        (AttemptVerdict.KILLED, 1),
        (AttemptVerdict.REFUSED, 2),
    ]
    assert killed.seconds == 0  # the hours for which the machine was off are not its own


def test_a_disk_that_is_gone_is_a_failure_that_is_retried_and_told(stand_in, monkeypatch):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator("schedule.retries={times: 2, wait: 5m}")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    looks, look_at = [], coordinator_module.look_at

    def gone_twice(*arguments):  # no test can take a network drive away
        looks.append(stand_in.clock().strftime("%H:%M"))
        if len(looks) <= 2:
            raise OSError(116, "Stale file handle")
        return look_at(*arguments)

    monkeypatch.setattr(coordinator_module, "look_at", gone_twice)
    coordinator.attend()
    made = coordinator.store.attempts()
    assert [(one.verdict, one.attempt, one.settled) for one in made] == [
        (AttemptVerdict.FAILED, 1, False),
        (AttemptVerdict.FAILED, 2, False),
        (AttemptVerdict.REFUSED, 3, True),
    ]
    assert made[0].why == "OSError: [Errno 116] Stale file handle"
    assert looks == ["02:00", "02:05", "02:15"]


def test_metadata_that_cannot_be_read_is_a_failure_with_its_traceback_in_the_log(stand_in):
    stand_in.add_day("2026-03-02")
    coordinator = stand_in.coordinator("schedule.retries.times=0")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.config.metadata_path.write_bytes(b"no database" * 1000)
    coordinator.attend()
    (made,) = coordinator.store.attempts()
    assert (made.verdict, made.settled) == (AttemptVerdict.FAILED, True)
    assert "\n" not in made.why and made.log in made.why
    assert "Traceback" in Path(made.log).read_text()


@pytest.mark.parametrize("kind", [Kind.TRIGGERED, Kind.BACKFILL])
def test_what_a_person_asked_for_and_a_crash_ended_is_settled_and_told(stand_in, kind):
    coordinator = stand_in.coordinator("schedule.retries.times=5")
    left_running(coordinator, stand_in.clock(), kind)
    stand_in.coordinator().attend()
    (made,) = coordinator.store.attempts()
    assert (made.verdict, made.settled) == (AttemptVerdict.KILLED, True)
    assert made.alert
    assert "run the command again" in made.why


def test_a_backfill_that_a_crash_ended_goes_on_when_it_is_asked_for_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator()
    slot = stand_in.clock.now.replace(day=2, hour=0)
    left_running(coordinator, slot, Kind.BACKFILL)
    done = coordinator.deal_with(Kind.BACKFILL, slot, "2026-03-02")
    assert (done.verdict, done.attempt) == (AttemptVerdict.REFUSED, 2)


def test_a_time_of_airflow_s_that_a_crash_ended_is_settled_with_the_next_one(stand_in):
    stand_in.add_day("2026-03-03")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator()
    first = stand_in.clock.now.replace(day=2, hour=2)
    left_running(coordinator, first, Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 3, 2, 0)
    done = coordinator.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert (done.verdict, done.attempt) == (AttemptVerdict.REFUSED, 1)
    left, given_up, _ = coordinator.store.attempts()
    assert (left.settled, given_up.settled, given_up.slot) == (False, True, first)
    assert given_up.why.endswith("2026-03-03 02:00 UTC is due")


def test_a_retry_that_catch_up_none_gives_up_says_why(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""))
    coordinator = stand_in.coordinator("schedule.catch_up=none")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    left_running(coordinator, stand_in.clock(), Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 3, 20, 0)
    coordinator.attend()
    _, given_up, missed = coordinator.store.attempts()
    assert given_up.why.endswith("while it ran; newer times have passed")
    assert missed.verdict is AttemptVerdict.MISSED


def test_a_child_that_ends_by_itself_leaves_nobody_behind(tmp_path):
    program = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    log = tmp_path / "log"
    ended = run_child([sys.executable, "-c", program], log, timedelta(minutes=1), threading.Event(), lambda pid: None)
    assert (ended.code, ended.by) == (0, "itself")
    assert not alive(int(log.read_text()))
