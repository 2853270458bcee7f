"""`effnet schedule install`: a systemd timer, or a cron entry, that calls `effnet schedule tick` when a run is due.

No process of ours then waits; what a machine that was off has missed is made up for at the next call, as
`schedule.catch_up` says.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from cronsim import CronSim

from pipeline.config import PipelineConfig

OFTEN = "*/5 * * * *"
UNITS = Path("~/.config/systemd/user")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SERVICE = """\
[Unit]
Description=Scheduled training of {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={folder}
# Variables of schedule.alerts, one NAME=value a line; readable by its owner alone.
EnvironmentFile=-%h/.config/effnet/{name}.env
ExecStart={command}
TimeoutStartSec=infinity
KillMode=mixed
"""
TIMER = """\
[Unit]
Description=Starts the scheduled training of {name}

[Timer]
{times}
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


class InstallError(RuntimeError):
    """The entry cannot be made."""


def tick_command(config_path: Path, overrides: Sequence[str]) -> str:
    """The command line that deals with what is due."""
    effnet = [str(Path(sys.executable).with_name("effnet")), "schedule", "tick", "--config", str(config_path)]
    return shlex.join([*effnet, *(part for override in overrides for part in ("--set", override))])


def systemd_units(config: PipelineConfig, config_path: Path, overrides: Sequence[str]) -> dict[str, str]:
    """File name -> content of the service and its timer."""
    times = "\n".join(f"OnCalendar={time}" for time in calendar_times(config))
    # A % starts a specifier in a unit.
    command = tick_command(config_path, overrides).replace("%", "%%")
    folder = str(config_path.parent).replace("%", "%%")
    return {
        f"effnet-{config.name}.service": SERVICE.format(name=config.name, folder=folder, command=command),
        f"effnet-{config.name}.timer": TIMER.format(name=config.name, times=times),
    }


def calendar_times(config: PipelineConfig) -> list[str]:
    """The cron expression as systemd's calendar events, see systemd.time(7).

    Raises:
      InstallError: systemd has no such days.
    """
    schedule = config.schedule
    parsed = CronSim(str(schedule.cron), datetime(2024, 1, 1, tzinfo=UTC))
    weekdays = [day for day in parsed.weekdays if isinstance(day, int)]
    if len(weekdays) < len(parsed.weekdays) or min(parsed.days) < 1:  # "the last", "the second Monday"
        raise InstallError(f"got cron {schedule.cron!r}, whose days systemd does not know; use --as cron, or start")
    clock = f"{_listed(parsed.hours, 24)}:{_listed(parsed.minutes, 60)}:00 {schedule.timezone}"
    months, days = _listed(parsed.months, 12), _listed(parsed.days, 31)
    numbers = sorted({day or 7 for day in weekdays})  # cron's Sunday is 0 and 7
    names = "" if len(numbers) == 7 else ",".join(WEEKDAYS[number - 1] for number in numbers) + " "
    if parsed.day_and:
        return [f"{names}*-{months}-{days} {clock}"]
    # As cron has it: with day and weekday given, one that fits is enough.
    return [f"*-{months}-{days} {clock}", f"{names}*-{months}-* {clock}"]


def cron_entry(config: PipelineConfig, config_path: Path, overrides: Sequence[str]) -> str:
    """Lines for a crontab, between two that mark them as ours.

    Not every cron knows CRON_TZ, Debian's does not: where the schedule counts in another time zone than this machine,
    the entry looks often instead, and finds nothing due most of the time.
    """
    start, end = _marks(config.name)
    # A % ends the command of a cron entry.
    command = tick_command(config_path, overrides).replace("%", r"\%")
    schedule = config.schedule
    times = schedule.cron if _is_local(schedule.zone) else OFTEN
    return f"{start}\n{times} {command}\n{end}\n"


def with_entry(crontab: str, name: str, entry: str) -> str:
    """The crontab with the entry instead of an earlier one."""
    start, end = _marks(name)
    without = re.sub(rf"^{re.escape(start)}$.*?^{re.escape(end)}$\n?", "", crontab, flags=re.MULTILINE | re.DOTALL)
    return f"{without.rstrip()}\n{entry}" if without.strip() else entry


def write_units(units: dict[str, str]) -> list[Path]:
    """Writes units where systemd looks for this user's."""
    folder = UNITS.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in units]


def write_crontab(name: str, entry: str) -> None:
    """Puts the entry into this user's crontab.

    Raises:
      InstallError: there is no cron, or it does not take the entry.
    """
    crontab = shutil.which("crontab")
    if not crontab:
        raise InstallError("got no crontab command here, expected cron to be installed; or use --as systemd, or start")
    present = subprocess.run([crontab, "-l"], capture_output=True, text=True)
    before = present.stdout if present.returncode == 0 else ""  # of a user without one yet it says so, with status 1
    done = subprocess.run([crontab, "-"], input=with_entry(before, name, entry), capture_output=True, text=True)
    if done.returncode:
        raise InstallError(f"crontab did not take the entry: {' '.join(done.stderr.split())}")


def _is_local(zone: tzinfo) -> bool:
    """Whether this machine's clock shows that zone's time, all year round."""
    days = [datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number) for number in range(366)]
    return all(day.astimezone(zone).utcoffset() == day.astimezone().utcoffset() for day in days)


def _marks(name: str) -> tuple[str, str]:
    return f"# >>> effnet {name}", f"# <<< effnet {name}"


def _listed(values: Collection[int], most: int) -> str:
    return "*" if len(values) == most else ",".join(f"{value:02d}" for value in sorted(values))
