"""`effnet schedule install`: a systemd timer, or a cron entry, that calls `effnet schedule tick` when a run is due.

No process of ours then waits; what a machine that was off has missed is made up for at the next call, as
`schedule.catch_up` says.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from cronsim import CronSim

from pipeline.config.model import PipelineConfig
from pipeline.systemd import InstallError, effnet_command, exec_start, need_one_line, taken, working_directory

# Vixie's cron makes one backslash of two, and takes that before a % away; others leave two as they are.
_UNCLEAR_TO_CRON = re.compile(r"\\[\\%]")
OFTEN = "*/5 * * * *"
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


def tick_command(config_path: Path, overrides: Sequence[str]) -> list[str]:
    """The command, with arguments, that deals with what is due.

    Raises:
      InstallError: see `effnet_command`.
    """
    return effnet_command(("schedule", "tick"), config_path, overrides)


def systemd_units(config: PipelineConfig, config_path: Path, overrides: Sequence[str], folder: Path) -> dict[str, str]:
    """File name -> content of the service and its timer.

    Args:
      config: of the pipeline.
      config_path: its pipeline.yaml.
      overrides: as `--set` has them.
      folder: where relative paths in them start.

    Raises:
      InstallError: systemd cannot do what is asked for.
    """
    times = "\n".join(f"OnCalendar={time}" for time in calendar_times(config))
    command = exec_start(tick_command(config_path, overrides))
    return {
        f"effnet-{config.name}.service": SERVICE.format(
            name=config.name, folder=working_directory(folder), command=command
        ),
        f"effnet-{config.name}.timer": TIMER.format(name=config.name, times=times),
    }


def calendar_times(config: PipelineConfig) -> list[str]:
    """The cron expression as systemd's calendar events, see systemd.time(7).

    Raises:
      InstallError: systemd has no such days.
    """
    schedule = config.schedule
    parsed = _parse(schedule.cron)
    if not _plain_days(parsed):
        raise InstallError(
            f"got cron {schedule.cron!r}, whose days systemd does not support; use --as cron or `effnet schedule start`"
        )
    clock = f"{_listed(parsed.hours, 24)}:{_listed(parsed.minutes, 60)}:00 {schedule.timezone}"
    months, days = _listed(parsed.months, 12), _listed(parsed.days, 31)
    numbers = sorted({day or 7 for day in parsed.weekdays if isinstance(day, int)})  # cron's Sunday is 0 and 7
    names = "" if len(numbers) == 7 else ",".join(WEEKDAYS[number - 1] for number in numbers) + " "
    if parsed.day_and:
        return [f"{names}*-{months}-{days} {clock}"]
    # As cron has it: with day and weekday given, one that fits is enough.
    return [f"*-{months}-{days} {clock}", f"{names}*-{months}-* {clock}"]


def cron_entry(config: PipelineConfig, config_path: Path, overrides: Sequence[str], folder: Path) -> str:
    """Lines for a crontab, between two that mark them as ours; the arguments are those of `systemd_units`.

    Not every cron knows CRON_TZ, Debian's does not, and none knows "the last Friday": if the schedule is in another
    time zone than this machine's, or has such days, the entry checks often instead, and mostly finds nothing due.
    """
    start, end = _marks(config.name)
    need_one_line(str(folder))
    command = f"cd -- {shlex.quote(str(folder))} && {shlex.join(tick_command(config_path, overrides))}"
    if unclear := _UNCLEAR_TO_CRON.search(command):
        raise InstallError(
            f"got {unclear[0]!r} in a name or an option, which some crons read as {unclear[0][1:]!r}; "
            "use --as systemd or start, or rename it"
        )
    command = command.replace("%", r"\%")  # which ends the command of a cron entry otherwise
    schedule = config.schedule
    times = schedule.cron if _is_local(schedule.zone) and _plain_days(_parse(schedule.cron)) else OFTEN
    return f"{start}\n{times} {command}\n{end}\n"


def with_entry(crontab: str, name: str, entry: str, config_path: Path) -> str:
    """The crontab with the entry instead of an earlier one.

    Raises:
      InstallError: the earlier one is another pipeline's of the same name.
    """
    start, end = _marks(name)
    ours = re.compile(rf"^{re.escape(start)}$.*?^{re.escape(end)}$\n?", flags=re.MULTILINE | re.DOTALL)
    quoted = shlex.quote(str(config_path)).replace("%", r"\%")
    # With what ends it: another path may begin with this one.
    same = re.compile(rf" --config {re.escape(quoted)}(?: |$)", flags=re.MULTILINE)
    if (earlier := ours.search(crontab)) and not same.search(earlier[0]):
        raise taken("the crontab", name)
    without = ours.sub("", crontab)
    return f"{without.rstrip()}\n{entry}" if without.strip() else entry


def write_crontab(name: str, entry: str, config_path: Path) -> None:
    """Puts the entry into this user's crontab.

    Raises:
      InstallError: there is no cron, it does not take the entry, or there is another pipeline's of the same name.
    """
    crontab = shutil.which("crontab")
    if not crontab:
        raise InstallError("found no crontab command; install cron, or use --as systemd or `effnet schedule start`")
    english = {**os.environ, "LC_ALL": "C"}
    present = subprocess.run([crontab, "-l"], capture_output=True, text=True, env=english)
    # Without a crontab it says so, with status 1. After any other error an existing one would be overwritten.
    if present.returncode and "no crontab" not in present.stderr:
        raise InstallError(f"crontab -l failed: {' '.join(present.stderr.split())}; nothing was changed")
    before = "" if present.returncode else present.stdout
    wanted = with_entry(before, name, entry, config_path)
    done = subprocess.run([crontab, "-"], input=wanted, capture_output=True, text=True)
    if done.returncode:
        raise InstallError(f"crontab refused the entry: {' '.join(done.stderr.split())}")


def _is_local(zone: tzinfo) -> bool:
    """Whether this machine's clock shows that zone's time, all year round."""
    days = [datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number) for number in range(366)]
    return all(day.astimezone(zone).utcoffset() == day.astimezone().utcoffset() for day in days)


def _parse(cron: str | None) -> CronSim:
    return CronSim(str(cron), datetime(2024, 1, 1, tzinfo=UTC))


def _plain_days(parsed: CronSim) -> bool:
    """Whether its days are numbers: not "the last", or "the second Monday"."""
    return all(isinstance(day, int) for day in parsed.weekdays) and min(parsed.days) >= 1


def _marks(name: str) -> tuple[str, str]:
    return f"# >>> effnet {name}", f"# <<< effnet {name}"


def _listed(values: Collection[int], most: int) -> str:
    return "*" if len(values) == most else ",".join(f"{value:02d}" for value in sorted(values))
