"""The `schedule` section of pipeline.yaml."""

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field, field_validator

from trainer.settings import DRIFT_LIMIT, Fraction, Settings, TuneWhen

# Below the run's folder.
FOLDER = "schedule"  # history, logs, lock
ATTEMPTS_FILE = "history.json"  # in it: the newest attempts, for the reports of runs
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")  # a timedelta holds no more than a billion days
# A reference to an environment variable, as a shell has it.
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

CatchUp = Literal["none", "latest", "all"]
Told = Literal["pushed", "refused", "failed", "missing_data", "nothing_new", "missed"]


def duration(text: str) -> timedelta:
    """The time that `30s`, `5m`, `12h` or `7d` stands for.

    Raises:
      ValueError: it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"got {text!r}, expected a whole number of s, m, h or d, such as 30m")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def known_zone(name: str) -> str:
    """The name of a time zone, as it came.

    Raises:
      ValueError: there is no such zone.
    """
    if name not in zoneinfo.available_timezones():
        raise ValueError(f"got {name!r}, expected a name such as Europe/Berlin or UTC")
    return name


def _is_duration(text: object) -> str:
    duration(str(text))
    return str(text)


Duration = Annotated[str, BeforeValidator(_is_duration)]


class OnlyIf(Settings):
    """What makes a run worth it; any one is enough, and with none of them set every one is."""

    new_images: Annotated[int, Field(ge=1)] | None = 1
    """Fewest images that no judged run has read."""
    drift: bool | Fraction = False
    """true (0.05), or the divergence from the served model's images that makes a run due."""
    max_age: Duration | None = None
    """Age of the served model that makes a run due, such as 7d."""

    @property
    def drift_limit(self) -> float | None:
        """How far the images may be from the served model's before a run is due; None where that is not asked."""
        if isinstance(self.drift, bool):
            return DRIFT_LIMIT if self.drift else None
        return self.drift


class Retries(Settings):
    """How often a run that failed is tried again: after `wait`, then each time after `factor` times as long."""

    times: Annotated[int, Field(ge=0, le=20)] = 2
    """Most retries of a run that failed."""
    wait: Duration = "5m"
    """Time before the first retry."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """How much longer each further wait is."""
    longest: Duration = "1h"
    """Longest wait."""

    def wait_before(self, retry: int) -> timedelta:
        """How long to wait before the retry of that number, counted from 1."""
        # In seconds, for the longest of 20 waits would be more than a timedelta holds.
        seconds = duration(self.wait).total_seconds() * self.factor ** (retry - 1)
        return timedelta(seconds=min(seconds, duration(self.longest).total_seconds()))


class Alerts(Settings):
    """Whom to tell, as Apprise URLs whose secrets are `${VARIABLES}` of the environment, and of what."""

    urls: tuple[str, ...] = ()
    """Apprise URLs with their secrets as ${VARIABLES} of the environment, such as ["${ALERT_URL}"]."""
    about: tuple[Told, ...] = ("pushed", "refused", "failed", "missing_data", "nothing_new")
    """Outcomes that send an alert: pushed, refused, failed, missing_data, nothing_new, missed."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that the URLs name, each once."""
        return tuple(dict.fromkeys(name for url in self.urls for name in VARIABLE.findall(url)))

    @field_validator("urls", mode="before")
    @classmethod
    def _no_secret_in_plain_text(cls, urls: object) -> object:
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            raise ValueError('expected a list of URLs, such as ["${ALERT_URL}"]; what there is may hold secrets')
        for number, url in enumerate(urls, start=1):
            if not VARIABLE.search(url):
                # The URL itself is not shown: it may hold what nobody else should read.
                raise ValueError(
                    f"entry {number} names no environment variable; URLs hold secrets: export it, such as "
                    "ALERT_URL=mailto://..., and write ${ALERT_URL} here"
                )
        return urls


class ScheduleSettings(Settings):
    """When the pipeline runs by itself, on what, and who is told. One run at a time."""

    cron: str | None = None
    """Minute, hour, day, month and weekday, such as "0 2 * * *"; null never runs by itself."""
    timezone: str = "UTC"
    """Time zone of the cron expression and of the days of {SPAN}, such as Europe/Berlin."""
    window: Annotated[int, Field(ge=1)] | None = None
    """Spans that a scheduled run reads, up to its own; null takes `data.span.window`."""
    only_if: OnlyIf = OnlyIf()
    """Conditions for a run, any one of which is enough: new images, drift (true, or the divergence from the served
    model's images) or `max_age` of the served model, such as 7d. With all of them null or false every time has its
    run.
    """
    catch_up: CatchUp = "latest"
    """Which of the times that passed while nothing ran are made up for: none, latest or all."""
    retries: Retries = Retries()
    """How often and after how long a run that failed is retried; a refused run is not."""
    time_limit: Duration = "12h"
    """A run that takes longer is ended."""
    warm_start: bool = False
    """Start from the served model's weights if it is the same network."""
    tune_when: TuneWhen | None = None
    """`tune.when` for scheduled runs, such as drift; null takes that of `tune`."""
    alerts: Alerts = Alerts()
    """Who is notified, and of what."""

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        return known_zone(name)

    @field_validator("time_limit")
    @classmethod
    def _leaves_time(cls, limit: str) -> str:
        if not duration(limit):
            raise ValueError(f"got {limit!r}, in which no run ends; expected such as 12h")
        return limit

    @field_validator("cron")
    @classmethod
    def _comes_round(cls, cron: str | None) -> str | None:
        if cron is not None:
            fields = len(cron.split())
            if fields != 5:
                raise ValueError(f"got {fields} field(s) in {cron!r}, expected five: minute, hour, day, month, weekday")
            try:
                next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration) as error:
                why = str(error) or "such a day never comes"
                raise ValueError(f"got {cron!r} ({why}), expected such as '0 2 * * *' for two at night") from error
        return cron

    @property
    def zone(self) -> tzinfo:
        """In which the hours count."""
        return zoneinfo.ZoneInfo(self.timezone)
