"""`effnet schedule install`: entries that systemd, cron and the shell read as they were meant."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.schedule.systemd_cron import calendar_times, cron_entry, systemd_units, with_entry, write_crontab
from pipeline.systemd import InstallError, write_units
from tests.pipeline.schedule.helpers import CONFIG, schedule


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


def test_the_units_of_another_pipeline_of_that_name_are_left_alone(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    path = folder / "pipeline.yaml.of.today"
    for _ in range(2):  # again its own
        written = write_units(systemd_units(config(folder, "0 2 * * *"), path, (), folder), "flowers", path)
    before = [unit.read_text() for unit in written]
    # The last two are parts of the path that is there.
    for other in (folder / "other" / "pipeline.yaml", folder / "pipeline.yaml", Path(*path.parts[2:])):
        with pytest.raises(InstallError, match=r"effnet-flowers.service has a flowers of another pipeline.yaml"):
            write_units(systemd_units(config(folder, "0 2 * * *"), other, (), folder), "flowers", other)
        assert [unit.read_text() for unit in written] == before


def test_days_that_systemd_does_not_know_are_told(folder):
    with pytest.raises(InstallError, match="use --as cron"):
        calendar_times(config(folder, "0 2 L * *"))


def test_the_cron_entry_takes_the_place_of_an_earlier_one_and_leaves_the_rest(folder):
    path = folder / "pipeline.yaml.of.today"
    entry = cron_entry(config(folder, "0 2 * * *"), path, ("train.epochs=3",), folder)
    line = entry.splitlines()[1]
    assert line.endswith(f"schedule tick --config {path} --set train.epochs=3")
    assert f" cd -- {folder} && /" in line
    other = "# mine\n5 5 * * * backup\n"
    once = with_entry(other, "flowers", entry, path)
    assert with_entry(once, "flowers", entry, path) == once == other + entry
    assert with_entry("", "flowers", entry, path) == entry
    for another in (folder / "other" / "pipeline.yaml", folder / "pipeline.yaml", Path(*path.parts[2:])):
        with pytest.raises(InstallError, match="give one of the two another `name`"):
            with_entry(once, "flowers", entry, another)


def test_a_shell_reads_a_cron_entry_as_it_was_typed(folder):
    nasty = "data.path=$HOME/it's 50% \\d;x"
    entry = cron_entry(config(folder, "0 2 * * *"), folder / "pipeline.yaml", (nasty,), folder)
    command = entry.splitlines()[1].partition(" && ")[2].replace(r"\%", "%")  # as cron passes it on
    program, _, rest = command.partition(" ")
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {rest}"], capture_output=True, text=True).stdout
    assert program.endswith("/effnet") and shown.splitlines()[-1] == nasty


HOSTILE_ENDS = ("blank ", "backslash\\", "dots.. ", "percent%", "quote'", '"', "$HOME", "-rf", "#", "%h", "é\u00a0")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize("name", HOSTILE_ENDS)
def test_a_unit_starts_in_its_folder_whatever_that_is_called(folder, name):
    home = folder / name
    home.mkdir()
    units = systemd_units(config(folder, "0 2 * * *"), home / "pipeline.yaml", (), home)
    for file, text in units.items():
        (folder / file).write_text(text)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    command = ["systemd-analyze", "verify", "--user", *(folder / file for file in units)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    said = next(line for line in units["effnet-flowers.service"].splitlines() if line.startswith("WorkingDirectory="))
    # As systemd reads it: stripped, specifiers filled in, a slash at the end dropped.
    assert said == said.strip() and not said.endswith("\\")
    assert said.partition("=")[2].replace("%%", "%").rstrip("/") == str(home)


@pytest.mark.parametrize("name", HOSTILE_ENDS)
def test_a_shell_goes_to_the_folder_of_a_cron_entry_whatever_that_is_called(folder, name):
    home = folder / name
    home.mkdir()
    entry = cron_entry(config(folder, "0 2 * * *"), folder / "pipeline.yaml", (), home)
    command = entry.splitlines()[1].split(" ", 5)[5].partition(" && ")[0].replace(r"\%", "%")
    assert subprocess.run(["sh", "-c", f"{command} && pwd"], capture_output=True, text=True).stdout == f"{home}\n"


@pytest.mark.parametrize(
    "name", ["two\nlines", "x\n* * * * * touch /tmp/owned", "carriage\r", "\x1b[31m", "not utf-8 \udcff"]
)
@pytest.mark.parametrize("make", [cron_entry, systemd_units])
def test_a_name_that_would_begin_another_line_is_refused(folder, name, make):
    home = folder / name
    for where in ((folder / "pipeline.yaml", home), (home / "pipeline.yaml", folder)):
        with pytest.raises(InstallError, match="expected no line breaks"):
            make(config(folder, "0 2 * * *"), where[0], (), where[1])


@pytest.mark.parametrize("name", ["two\\\\backslashes", "50\\%"])
def test_a_name_that_crons_read_differently_is_refused(folder, name):
    with pytest.raises(InstallError, match="some crons read"):
        cron_entry(config(folder, "0 2 * * *"), folder / "pipeline.yaml", (), folder / name)


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
