"""A cron expression in the words of Kubeflow Pipelines, which reads it with robfig/cron v1.2.0.

That library wants six fields, seconds first; gives five another meaning; takes no zone, no `7` for Sunday, no `L` and
no `#`; and accepts dates that never come. So the expression is read here, as everywhere in this project, and written
out again as numbers.
"""

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from pipeline.kubeflow.errors import KubeflowError

HOURS, MINUTES, WEEKDAYS = frozenset(range(24)), frozenset(range(60)), frozenset(range(7))
DAYS, MONTHS = frozenset(range(1, 32)), frozenset(range(1, 13))
HOURS_OF_A_YEAR = 366 * 24
LATEST = timedelta(days=5 * 365)  # the backend looks no further for the next time


@dataclass(frozen=True)
class Times:
    """When a schedule runs, as sets of numbers, Sunday being 0.

    Attributes:
      starred: of the fields day and weekday, those that begin with a star: both must match then, else either.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    starred: tuple[bool, bool]

    @property
    def every_day(self) -> bool:
        """Whether no day, month or weekday is left out."""
        return (self.days, self.months, self.weekdays) == (DAYS, MONTHS, WEEKDAYS)


def backend_cron(cron: str, zone: str, backend_zone: str = "UTC") -> str:
    """The expression for the backend: six fields, seconds first, in the backend's own zone.

    Args:
      cron: the usual five fields, minute first, or six, seconds first.
      zone: in which its hours count; an IANA name, such as Europe/Berlin.
      backend_zone: in which the backend counts, CRON_SCHEDULE_TIMEZONE of its scheduled-workflow controller.

    Raises:
      KubeflowError: the expression is none, never comes, or cannot be said to the backend; what to do instead.
    """
    if zone not in zoneinfo.available_timezones():
        raise KubeflowError(f"time zone: got {zone!r}, expected a name such as Europe/Berlin")
    times = _read(cron)
    shift = _minutes_between(zone, backend_zone)
    return _written(_shifted(times, shift, cron, zone, backend_zone) if shift else times)


def _read(cron: str) -> Times:
    fields = cron.upper().split()
    if len(fields) not in (5, 6):
        raise KubeflowError(f"cron: got {cron!r}, expected five fields, such as '0 2 * * *' for 2 o'clock every night")
    now = datetime.now(UTC)
    try:
        found = CronSim(cron, now)
        comes = next(found) - now
    except StopIteration:
        raise KubeflowError(f"cron: got {cron!r}, a date that never comes; correct day and month") from None
    except CronSimError as error:
        # It says the same of day 32 as of 31 February.
        why = f"{error}, or a date that never comes" if "day-of-month" in str(error) else str(error)
        raise KubeflowError(f"cron: got {cron!r} ({why}), expected such as '0 2 * * *'") from error
    if comes > LATEST:
        raise KubeflowError(f"cron: got {cron!r}, which comes in {comes.days // 365} years; Kubeflow looks 5 ahead")
    numbers = frozenset(day for day in found.weekdays if isinstance(day, int))
    if len(numbers) < len(found.weekdays) or min(found.days) < 1:
        raise KubeflowError(f"cron: got {cron!r}, but Kubeflow has no L, W and #; name days by their numbers")
    starred = (fields[-3].startswith("*"), fields[-1].startswith("*"))
    days, weekdays = frozenset(found.days), frozenset(day % 7 for day in numbers)
    if any(starred) and days != DAYS and weekdays != WEEKDAYS:
        raise KubeflowError(
            f"cron: got {cron!r}, by which both the day and the weekday must match; Kubeflow takes either: name "
            "days or weekdays, and * for the other"
        )
    return Times(
        frozenset(found.seconds), frozenset(found.minutes), frozenset(found.hours), days, frozenset(found.months),
        weekdays, starred,
    )  # fmt: skip


def _minutes_between(zone: str, backend_zone: str) -> int:
    """How many minutes the backend's clock is ahead of that of `zone`."""
    here, there = zoneinfo.ZoneInfo(zone), zoneinfo.ZoneInfo(backend_zone)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    moments = [start + timedelta(hours=hour) for hour in range(HOURS_OF_A_YEAR)]
    found = {_offset(there, moment) - _offset(here, moment) for moment in moments}
    if len(found) > 1:
        raise KubeflowError(
            f"time zone: {zone} and {backend_zone}, in which this Kubeflow counts, are not the same hours apart all "
            f"year: name the times in {backend_zone} with --timezone {backend_zone}, or set CRON_SCHEDULE_TIMEZONE of "
            f"Kubeflow's ml-pipeline-scheduledworkflow to {zone}, and runners.kubeflow.cron_timezone with it"
        )
    return int(found.pop().total_seconds()) // 60


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _shifted(times: Times, minutes: int, cron: str, zone: str, backend_zone: str) -> Times:
    """The same moments by a clock that is `minutes` ahead."""
    moved = {divmod(hour * 60 + minute + minutes, 24 * 60) for hour in times.hours for minute in times.minutes}
    dates = {date for date, _ in moved}
    moments = {moment for _, moment in moved}
    hours, of_hour = {moment // 60 for moment in moments}, {moment % 60 for moment in moments}
    # One expression runs at each of its minutes in each of its hours, on the same days.
    expressible = len(moments) == len(hours) * len(of_hour)
    if not times.every_day:
        weekdays_only = (times.days, times.months) == (DAYS, MONTHS)
        expressible = expressible and (dates == {0} or (weekdays_only and len(dates) == 1))
    if not expressible:
        raise KubeflowError(
            f"cron: '{cron}' in {zone} is no single expression in {backend_zone}, in which this Kubeflow counts; name "
            f"the times in {backend_zone}, with --timezone {backend_zone}"
        )
    weekdays = times.weekdays if times.every_day else {(day + min(dates)) % 7 for day in times.weekdays}
    return replace(times, hours=frozenset(hours), minutes=frozenset(of_hour), weekdays=frozenset(weekdays))


def _written(times: Times) -> str:
    # A star in one of the two means that both must match; so a full list stays a list where the user wrote one.
    days, weekdays = (
        "*" if starred and numbers == every else _numbers(numbers)
        for starred, numbers, every in zip(times.starred, (times.days, times.weekdays), (DAYS, WEEKDAYS), strict=True)
    )
    hours, minutes, months = (
        "*" if numbers == every else _numbers(numbers)
        for numbers, every in ((times.hours, HOURS), (times.minutes, MINUTES), (times.months, MONTHS))
    )
    seconds = "*" if times.seconds == MINUTES else _numbers(times.seconds)
    return " ".join((seconds, minutes, hours, days, months, weekdays))


def _numbers(numbers: Iterable[int]) -> str:
    """Such as 1-5,7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
