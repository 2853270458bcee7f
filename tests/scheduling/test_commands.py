"""`effnet schedule` as it is typed: one scheduler a pipeline, a clean stop, and entries that systemd and cron take."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.scheduling import scheduler as scheduling
from pipeline.scheduling.attempts import Kind, Verdict
from pipeline.scheduling.attendant import Attendant
from pipeline.scheduling.install import (
    InstallError,
    calendar_times,
    cron_entry,
    systemd_units,
    with_entry,
    write_crontab,
)
from pipeline.scheduling.notes import note_of
from tests.scheduling.receiver import listening

EFFNET = Path(sys.executable).with_name("effnet")
CONFIG = """
name: flowers
data: {path: 'photos/{SPAN}', span: {last: today}}
evaluate: {min_accuracy: 0.5, max_accuracy_drop: 0.0}
schedule: {cron: '0 2 * * *', timezone: Europe/Berlin}
runners: {local: {root: build}}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    (tmp_path / "photos").mkdir()
    return tmp_path


def schedule(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "COLUMNS": "200", "HOME": str(folder)}
    return subprocess.run(
        [EFFNET, "schedule", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, env=environment
    )


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
        assert second.stderr.startswith(f"error: a scheduler of flowers runs already, process {scheduler.pid} since ")
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
        until = time.monotonic() + 90
        while not listed(folder, "history") and time.monotonic() < until:
            time.sleep(1)
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
    attendant = Attendant(folder / "pipeline.yaml")
    before = signal.signal(number, signal.SIG_IGN)  # as nohup does
    try:
        with scheduling.stop_when_signalled(attendant):
            os.kill(os.getpid(), number)
        assert not attendant.stop.is_set()
        signal.signal(number, signal.SIG_DFL)
        with scheduling.stop_when_signalled(attendant):
            os.kill(os.getpid(), number)
        assert attendant.stop.is_set()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_the_scheduler_does_not_wait_for_the_next_night_with_an_alert_that_was_not_taken(folder, monkeypatch):
    monkeypatch.setattr(scheduling, "SOON", timedelta(seconds=1))
    attendant = Attendant(folder / "pipeline.yaml", ("schedule.alerts.urls=['${ALERT_URL}']",), say=lambda line: None)
    note = note_of(attendant.config, attendant.clock(), attendant.clock(), Kind.TRIGGERED, Verdict.FAILED, "no disk")
    attendant.store.note(note)

    def be_up_again() -> None:
        until = time.monotonic() + 20
        while not receiver.posts and time.monotonic() < until:
            time.sleep(0.05)
        receiver.status = 200
        while attendant.ledger.pending() and time.monotonic() < until:
            time.sleep(0.05)
        attendant.stop.set()

    with listening("hunter2") as receiver:
        monkeypatch.setenv("ALERT_URL", receiver.url)
        receiver.status = 503
        watcher = threading.Thread(target=be_up_again)
        watcher.start()
        scheduling.start(attendant)
        watcher.join()
    assert attendant.ledger.pending() == []
    assert len(receiver.posts) == 2


def test_pause_resume_and_list(folder):
    shown = listed(folder, "list")
    assert (shown["cron"], shown["paused"], len(shown["next"])) == ("0 2 * * *", None, 5)
    first = datetime.fromisoformat(shown["next"][0])
    assert first.hour == 2 and datetime.now(UTC) < first < datetime.now(UTC) + timedelta(days=1, hours=1)
    assert "is paused" in schedule(folder, "pause").stdout
    assert listed(folder, "list")["next"] == []
    assert "goes on" in schedule(folder, "resume").stdout
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
    assert "2026-03-01 00:00" in schedule(folder, "history").stdout


def test_an_alert_that_could_not_be_sent_is_shown(folder):
    schedule(folder, "trigger", "--set", "schedule.alerts.urls=['${NOT_SET}']")
    assert listed(folder, "list")["alerts_not_sent"] == 1
    assert "1 not sent" in schedule(folder, "list").stdout
    assert "the environment has no NOT_SET" in schedule(folder, "history").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("start", "--set", "schedule.cron=null"), "schedule.cron: is null; set it"),
        (("backfill", "--from", "2026-03-02", "--to", "2026-03-01"), "expected the earlier one first"),
        (("backfill", "--from", "monday", "--to", "friday"), "expected dates such as 2024-05-31, or numbers"),
        (("start", "--set", "schedule.alerts.urls=['${NOT_SET}']"), "the environment has no NOT_SET; export it"),
        (("start", "--set", "schedule.cron=daily"), "expected five: minute, hour, day, month, weekday"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(folder, arguments, told):
    done = schedule(folder, *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def config(folder: Path, cron: str):
    return load_config(folder / "pipeline.yaml", [f"schedule.cron='{cron}'"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("30 2 * * *", ["2026-03-01 02:30"]),
        ("0 2 * * 0", ["2026-03-01 02:00"]),
        ("0 2 * * 1-5", ["2026-03-02 02:00"]),
        ("*/20 1,13 15 * *", ["2026-03-15 01:00"]),
        ("0 2 13 * 5", ["2026-03-13 02:00", "2026-03-06 02:00"]),
    ],
)
def test_systemd_reads_the_times_as_cron_does(folder, cron, first):
    for event, moment in zip(calendar_times(config(folder, cron)), first, strict=True):
        command = ["systemd-analyze", "calendar", "--base-time=2026-02-28 12:00:00 UTC", event]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TZ": "Europe/Berlin"})
        assert done.returncode == 0, done.stderr
        assert moment in done.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_the_units_are_sound(folder):
    home = folder / 'it\'s 100% "mine" \\d'
    home.mkdir()
    (home / "pipeline.yaml").write_text(CONFIG)
    urls = "schedule.alerts.urls=['${ALERT_URL}']"
    written = schedule(home, "install", "--set", urls)
    units = sorted((home / ".config" / "systemd" / "user").iterdir())
    assert [unit.name for unit in units] == ["effnet-flowers.service", "effnet-flowers.timer"]
    assert "systemctl --user enable --now effnet-flowers.timer" in written.stdout
    assert "set ALERT_URL in ~/.config/effnet/flowers.env" in written.stdout
    # Without a folder for its sockets it checks nothing.
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    command = ["systemd-analyze", "verify", "--user", *units]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_s_command_line_holds_the_name_of_a_variable_and_not_its_secret(folder):
    overrides = ("schedule.alerts.urls=['${ALERT_URL}']",)
    units = systemd_units(config(folder, "0 2 * * *"), folder / "pipeline.yaml", overrides, folder)
    # systemd would fill ${ALERT_URL} in, from the file with the secrets; $${ALERT_URL} it passes on as ${ALERT_URL}.
    assert "['$${ALERT_URL}']" in units["effnet-flowers.service"]


def test_the_entry_of_another_pipeline_of_that_name_is_left_alone(folder):
    assert schedule(folder, "install").returncode == 0
    assert schedule(folder, "install").returncode == 0
    other = folder / "other"
    other.mkdir()
    (other / "pipeline.yaml").write_text(CONFIG)
    refused = schedule(folder, "install", "--config", "other/pipeline.yaml")
    assert refused.returncode == 1
    assert "effnet-flowers.service has a flowers of another pipeline.yaml" in refused.stderr


def test_days_that_systemd_does_not_know_are_told(folder):
    with pytest.raises(InstallError, match="use --as cron"):
        calendar_times(config(folder, "0 2 L * *"))


def test_the_cron_entry_takes_the_place_of_an_earlier_one_and_leaves_the_rest(folder):
    path = folder / "pipeline.yaml"
    entry = cron_entry(config(folder, "0 2 * * *"), path, ("train.epochs=3",), folder)
    line = entry.splitlines()[1]
    assert line.endswith(f"schedule tick --config {path} --set train.epochs=3")
    assert f" cd {folder} && /" in line
    other = "# mine\n5 5 * * * backup\n"
    once = with_entry(other, "flowers", entry, path)
    assert with_entry(once, "flowers", entry, path) == once == other + entry
    assert with_entry("", "flowers", entry, path) == entry
    with pytest.raises(InstallError, match="give one of the two another `name`"):
        with_entry(once, "flowers", entry, folder / "other" / "pipeline.yaml")


def test_a_shell_reads_a_cron_entry_as_it_was_typed(folder):
    nasty = "data.path=$HOME/it's 50% \\d;x"
    entry = cron_entry(config(folder, "0 2 * * *"), folder / "pipeline.yaml", (nasty,), folder)
    command = entry.splitlines()[1].partition(" && ")[2].replace(r"\%", "%")  # as cron passes it on
    program, _, rest = command.partition(" ")
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {rest}"], capture_output=True, text=True).stdout
    assert program.endswith("/effnet") and shown.splitlines()[-1] == nasty


def fake_crontab(folder: Path, listing: str) -> Path:
    """A crontab command: no cron runs here. `listing` says what `crontab -l` does."""
    command = folder / "bin" / "crontab"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then {listing}; else cat > {folder}/written; fi\n')
    command.chmod(0o755)
    return command.parent


@pytest.mark.parametrize(
    ("listing", "kept"),
    [("echo '5 5 * * * backup'", "5 5 * * * backup\n"), ("echo no crontab for me >&2; exit 1", "")],
)
def test_a_crontab_is_read_before_it_is_written(folder, monkeypatch, listing, kept):
    monkeypatch.setenv("PATH", f"{fake_crontab(folder, listing)}{os.pathsep}{os.environ['PATH']}")
    write_crontab("flowers", "# >>> entry\n", folder / "pipeline.yaml")
    assert (folder / "written").read_text() == f"{kept}# >>> entry\n"


def test_a_crontab_that_cannot_be_read_is_not_overwritten(folder, monkeypatch):
    listing = "echo crontabs/me: Permission denied >&2; exit 1"
    monkeypatch.setenv("PATH", f"{fake_crontab(folder, listing)}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(InstallError, match="Permission denied; nothing was changed"):
        write_crontab("flowers", "# >>> entry\n", folder / "pipeline.yaml")
    assert not (folder / "written").exists()


@pytest.mark.parametrize(
    ("machine", "cron", "times"),
    [
        ("Europe/Berlin", "0 2 * * *", "0 2 * * *"),
        ("Europe/Paris", "0 2 * * *", "0 2 * * *"),
        ("UTC", "0 2 * * *", "*/5 * * * *"),
        ("Europe/Berlin", "0 2 L * *", "*/5 * * * *"),  # no cron knows the last day of a month
        ("Europe/Berlin", "0 2 * * 5#2", "*/5 * * * *"),
    ],
)
def test_a_cron_entry_counts_in_the_machine_s_time_or_looks_often(folder, monkeypatch, machine, cron, times):
    monkeypatch.setenv("TZ", machine)
    time.tzset()
    try:
        entry = cron_entry(config(folder, cron), folder / "pipeline.yaml", (), folder)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert entry.splitlines()[1].startswith(f"{times} cd ")


def test_printing_writes_nothing(folder):
    shown = schedule(folder, "install", "--print").stdout
    for text in systemd_units(load_config(folder / "pipeline.yaml"), folder / "pipeline.yaml", (), folder).values():
        assert text in shown
    assert "schedule tick" in schedule(folder, "install", "--as", "cron", "--print").stdout
    assert not (folder / ".config").exists() and not (folder / "build").exists()
