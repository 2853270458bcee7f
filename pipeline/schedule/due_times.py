"""The times of a schedule: those that are due, and the next ones."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, takewhile

from cronsim import CronSim

from pipeline.config.schedule import ScheduleSettings

# How many times that passed during a long absence are examined; a schedule by the minute has as many in a month.
MOST_MISSED = 50_000


def due_times(settings: ScheduleSettings, since: datetime, now: datetime) -> list[datetime]:
    """The times of the schedule after `since`, up to and with `now`, the oldest first.

    A time that a daylight-saving change skips comes at its end; one that occurs twice counts once.
    """
    return list(islice(takewhile(lambda time: time <= now.astimezone(UTC), _times_after(settings, since)), MOST_MISSED))


def next_times(settings: ScheduleSettings, now: datetime, count: int) -> list[datetime]:
    """The next times of the schedule, in its zone."""
    return list(islice(_times_after(settings, now), count))


def _times_after(settings: ScheduleSettings, moment: datetime) -> Iterator[datetime]:
    if settings.cron is None:
        return
    # During the repeated hour of a daylight-saving change CronSim names times of the first. Compared in UTC, because
    # Python compares two times of one zone by what the clock shows.
    after = moment.astimezone(UTC)
    for time in CronSim(settings.cron, after.astimezone(settings.zone)):
        if time.astimezone(UTC) > after:
            yield time
