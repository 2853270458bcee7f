"""`effnet schedule` as it is typed: one scheduler a pipeline, a clean stop, and what the commands say."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.schedule import daemon
from pipeline.schedule.attempts import AttemptVerdict, Kind
from pipeline.schedule.coordinator import Coordinator
from pipeline.schedule.notes import note_of
from tests.pipeline.schedule.helpers import EFFNET, schedule, until
from tests.pipeline.schedule.receiver import listening

pytestmark = pytest.mark.command


def start(folder: Path, *overrides: str) -> tuple[subprocess.Popen, list[str]]:
    """A scheduler, and what it says, once it says that it is there."""
    settings = [part for setting in overrides for part in ("--set", setting)]
    scheduler = subprocess.Popen(
        [EFFNET, "schedule", "start", *settings],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = [scheduler.stdout.readline()]
    threading.Thread(target=lambda: lines.extend(scheduler.stdout), daemon=True).start()
    return scheduler, lines


def listed(folder: Path, *arguments: str) -> dict | list:
    return json.loads(schedule(folder, *arguments, "--json").stdout)


def test_of_two_schedulers_one_runs_and_a_signal_ends_it_cleanly(folder):
    scheduler, lines = start(folder)
    try:
        assert lines[0].startswith("flowers: '0 2 * * *' Europe/Berlin, next at ")
        second = schedule(folder, "start")
        assert second.returncode == 1
        assert second.stderr.startswith(
            f"error: a scheduler for flowers is already running, process {scheduler.pid} since "
        )
        assert re.search(
            rf" since \d{{4}}-\d\d-\d\d \d\d:\d\d CES?T; stop it with `kill {scheduler.pid}`, ", second.stderr
        )
        assert second.stderr.count("\n") == 1
        assert listed(folder, "list")["scheduler"] is True
        scheduler.send_signal(signal.SIGTERM)
        assert scheduler.wait(timeout=30) == 0
    finally:
        scheduler.kill()
        scheduler.wait()
    assert lines[-1] == "flowers: stopped\n"
    assert listed(folder, "list")["scheduler"] is False


@pytest.mark.slow
def test_a_scheduler_that_was_killed_is_in_nobody_s_way_and_fires_on_time(folder):
    first, _ = start(folder)
    first.kill()
    first.wait()
    scheduler, lines = start(folder, "schedule.cron='* * * * *'")
    try:
        until(lambda: listed(folder, "history"), 90)
        scheduler.send_signal(signal.SIGINT)
        assert scheduler.wait(timeout=30) == 0
    finally:
        scheduler.kill()
        scheduler.wait()
    noted = listed(folder, "history")
    slots = [attempt["slot"] for attempt in noted]
    assert len(set(slots)) == len(slots) > 0
    late = datetime.fromisoformat(noted[0]["started"]) - datetime.fromisoformat(slots[0])
    assert timedelta() <= late < timedelta(seconds=30)
    assert noted[0]["verdict"] == "missing data"
    assert any("missing data: got no folder" in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_a_stop_unless_whoever_started_it_had_it_ignored(folder, number):
    coordinator = Coordinator(folder / "pipeline.yaml")
    before = signal.signal(number, signal.SIG_IGN)  # as nohup does
    try:
        with daemon.stop_when_signalled(coordinator):
            os.kill(os.getpid(), number)
        assert not coordinator.stop.is_set()
        signal.signal(number, signal.SIG_DFL)
        with daemon.stop_when_signalled(coordinator):
            os.kill(os.getpid(), number)
            assert coordinator.stop.wait(5)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_the_scheduler_does_not_wait_for_the_next_night_with_an_alert_that_was_not_taken(folder, monkeypatch):
    monkeypatch.setattr(daemon, "SOON", timedelta(seconds=1))
    coordinator = Coordinator(
        folder / "pipeline.yaml", ("schedule.alerts.urls=['${ALERT_URL}']",), say=lambda line: None
    )
    note = note_of(
        coordinator.config, coordinator.clock(), coordinator.clock(), Kind.TRIGGERED, AttemptVerdict.FAILED, "no disk"
    )
    coordinator.store.note(note)

    def be_up_again() -> None:
        until = time.monotonic() + 20
        while not receiver.posts and time.monotonic() < until:
            time.sleep(0.05)
        receiver.status = 200
        while coordinator.recorder.pending() and time.monotonic() < until:
            time.sleep(0.05)
        coordinator.stop.set()

    with listening("hunter2") as receiver:
        monkeypatch.setenv("ALERT_URL", receiver.url)
        receiver.status = 503
        watcher = threading.Thread(target=be_up_again)
        watcher.start()
        daemon.start(coordinator)
        watcher.join()
    assert coordinator.recorder.pending() == []
    assert len(receiver.posts) == 2


def test_pause_resume_and_list(folder):
    shown = listed(folder, "list")
    assert (shown["cron"], shown["paused"], len(shown["next"])) == ("0 2 * * *", None, 5)
    first = datetime.fromisoformat(shown["next"][0])
    assert first.hour == 2 and datetime.now(UTC) < first < datetime.now(UTC) + timedelta(days=1, hours=1)
    assert "is paused" in schedule(folder, "pause").stdout
    assert listed(folder, "list")["next"] == []
    assert "is resumed" in schedule(folder, "resume").stdout
    assert listed(folder, "list")["paused"] is None
    assert "was not paused" in schedule(folder, "resume").stdout


def test_trigger_and_backfill_say_what_is_missing_and_end_as_a_run_does(folder):
    triggered = schedule(folder, "trigger")
    assert triggered.returncode == 4
    assert "missing data: got no folder for the span" in triggered.stdout
    filled = schedule(folder, "backfill", "--from", "2026-03-01", "--to", "2026-03-02")
    assert filled.returncode == 4
    history = listed(folder, "history")
    assert [(row["kind"], row["verdict"]) for row in history] == [
        ("triggered", "missing data"),
        ("backfill", "missing data"),
        ("backfill", "missing data"),
    ]
    assert "backfill 2026-03-01" in schedule(folder, "history").stdout


def test_a_folder_s_name_does_not_steer_the_terminal_of_a_tick(folder):
    done = schedule(folder, "tick", "--at", "2026-03-05T01:00:00+0000", "--set", r'data.path="a\e[2J/{SPAN}"')
    assert done.returncode == 4
    assert r"a\x1b[2J, expected the one that holds the spans" in done.stdout and "\x1b" not in done.stdout


def test_an_alert_that_could_not_be_sent_is_shown(folder):
    coordinator = Coordinator(folder / "pipeline.yaml", ("schedule.alerts.urls=['${NOT_SET}']",))
    coordinator.deal_with(Kind.TRIGGERED, coordinator.clock())
    assert "1 not sent" in schedule(folder, "list").stdout
    assert "the environment has no NOT_SET" in schedule(folder, "history").stdout
    shown = schedule(folder, "list", "--set", "schedule.alerts.urls=['${NOT_SET}']").stdout
    assert "cannot be sent from here: schedule.alerts.urls: the environment has no NOT_SET" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("start", "--set", "schedule.cron=null"), "schedule.cron: is null; set it"),
        (("backfill", "--from", "2026-03-02", "--to", "2026-03-01"), "expected the earlier one first"),
        (("backfill", "--from", "monday", "--to", "friday"), "expected dates such as 2024-05-31, or numbers"),
        (("start", "--set", "schedule.alerts.urls=['${NOT_SET}']"), "the environment has no NOT_SET; export it"),
        (("trigger", "--set", "schedule.alerts.urls=['${NOT_SET}']"), "the environment has no NOT_SET; export it"),
        (
            ("backfill", "--from", "2026-03-01", "--to", "2026-03-02", "--set", "schedule.alerts.urls=['${NOT_SET}']"),
            "or turn alerts off with --set schedule.alerts.urls=[]",
        ),
        (("start", "--set", "schedule.cron=daily"), "expected five: minute, hour, day, month, weekday"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(folder, arguments, told):
    done = schedule(folder, *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
