"""`effnet schedule start`: APScheduler as the clock, the attendant for all that has to be known and remembered.

APScheduler's own job stores are not used. They keep pickles, and a job that dies with the process is forgotten, where a
training of hours has to go on. Its cron trigger counts weekdays from Monday as 0, and fires twice when the clock is set
back. So the history is the durable store (`store`), CronSim says when (`decision`), and APScheduler only wakes the
attendant.
"""

import contextlib
import logging
import signal
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from pipeline.config import ConfigError
from pipeline.run_lock import Held, hold, is_held
from pipeline.scheduling.attendant import Attendant, Busy
from pipeline.scheduling.decision import next_times
from pipeline.scheduling.settings import ScheduleSettings
from pipeline.scheduling.store import FOLDER

SCHEDULER = "scheduler"  # the lock of the one scheduler
LOOK_SECONDS = 30  # between two looks at pipeline.yaml for another cron expression


class SchedulerRuns(RuntimeError):
    """Another scheduler runs for this pipeline."""


class ScheduleTrigger(BaseTrigger):
    """The schedule's times, for APScheduler."""

    def __init__(self, settings: ScheduleSettings):
        self.settings = settings

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time after both."""
        after = max(filter(None, [previous_fire_time, now]))
        return next(iter(next_times(self.settings, after, 1)), None)


def need_cron(settings: ScheduleSettings) -> None:
    """Does nothing if there is a schedule.

    Raises:
      ConfigError: there is none.
    """
    if settings.cron is None:
        raise ConfigError("schedule.cron: is null; set it to start runs by themselves, such as cron: '0 2 * * *'")


def is_scheduled(run_root: Path) -> bool:
    """Whether a scheduler runs for the pipeline."""
    return is_held(run_root / FOLDER, SCHEDULER)


def start(attendant: Attendant, debug: bool) -> None:
    """Attends to the schedule until SIGTERM or SIGINT; a run under way is then ended, and goes on with the next start.

    Raises:
      ConfigError: there is no schedule.
      SchedulerRuns: another one runs.
    """
    config = attendant.config
    need_cron(config.schedule)
    with _only_scheduler(config.run_root), stop_when_signalled(attendant):
        attendant.begin(attendant.clock())
        # APScheduler warns where a run takes longer than the time to the next: the attendant deals with that one then.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        trigger = ScheduleTrigger(config.schedule)
        wake = scheduler.add_job(lambda: _wake(attendant, debug), trigger, next_run_time=attendant.clock())
        scheduler.add_job(lambda: _follow(attendant, wake), "interval", seconds=LOOK_SECONDS)
        scheduler.start()
        first = trigger.get_next_fire_time(None, attendant.clock())
        attendant.say(f"{config.name}: '{config.schedule.cron}' {config.schedule.timezone}, next at {first}")
        attendant.stop.wait()
        scheduler.shutdown(wait=True)
        attendant.say(f"{config.name}: stopped")


def _wake(attendant: Attendant, debug: bool) -> None:
    try:
        attendant.attend()
    except Busy as busy:
        attendant.say(str(busy))  # `trigger` or `backfill`; the next wake deals with what is due then
    except Exception as error:  # the outermost frame of this thread: the scheduler lives on, the next time tries again
        if debug:
            traceback.print_exc()
        attendant.say(f"error: {' '.join(str(error).split()) or type(error).__name__}")


def _follow(attendant: Attendant, wake: Job) -> None:
    """Takes over another cron expression or time zone."""
    schedule = attendant.reload().schedule
    before = wake.trigger.settings
    if (schedule.cron, schedule.timezone) != (before.cron, before.timezone):
        wake.reschedule(ScheduleTrigger(schedule))
        attendant.begin(attendant.clock())


@contextlib.contextmanager
def _only_scheduler(run_root: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(run_root / FOLDER, SCHEDULER))
        except Held as holder:
            raise SchedulerRuns(
                f"a scheduler of {run_root.name} runs already, {holder}; stop that one, or leave it to it"
            ) from holder
        yield


@contextlib.contextmanager
def stop_when_signalled(attendant: Attendant) -> Iterator[None]:
    """Has SIGTERM and SIGINT end what the attendant does, cleanly."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: attendant.stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
