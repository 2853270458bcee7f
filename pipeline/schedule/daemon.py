"""`effnet schedule start`: APScheduler as the clock, the coordinator for all that has to be known and remembered.

APScheduler's own job stores are not used. They keep pickles, and a job that dies with the process is forgotten, where a
training of hours has to go on. Its cron trigger counts weekdays from Monday as 0, and fires twice when the clock is set
back. So the history is the durable store (`store`), CronSim says when (`decision`), and APScheduler only wakes the
coordinator.
"""

import contextlib
import logging
import signal
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from components.common.errors import one_line
from pipeline.config.model import ConfigError
from pipeline.config.schedule import FOLDER, ScheduleSettings
from pipeline.execution.signals import handling
from pipeline.run_lock import Held, hold, is_held
from pipeline.schedule.alerts import find_receivers
from pipeline.schedule.coordinator import Coordinator
from pipeline.schedule.due_times import next_times
from pipeline.schedule.notes import local

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SCHEDULER = "scheduler"  # the lock of the one scheduler
LOOK_SECONDS = 30  # between two looks at pipeline.yaml for another cron expression
SOON = timedelta(minutes=10)  # until what went wrong, or an alert that was not taken, is tried again


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


def need_receivers(settings: ScheduleSettings) -> None:
    """Does nothing if whoever is to be told can be, as far as their addresses show.

    Raises:
      ConfigError: they cannot.
    """
    if problems := find_receivers(settings.alerts).problems:
        raise ConfigError("; ".join(problems))


def is_scheduled(run_root: Path) -> bool:
    """Whether a scheduler runs for the pipeline."""
    return is_held(run_root / FOLDER, SCHEDULER)


def start(coordinator: Coordinator) -> None:
    """Attends to the schedule until SIGTERM, SIGINT or SIGHUP; a run under way is then ended, and goes on next time.

    Raises:
      ConfigError: there is no schedule, or whoever is to be told cannot be.
      SchedulerRuns: another one runs.
    """
    config = coordinator.config
    need_cron(config.schedule)
    need_receivers(config.schedule)
    with _only_scheduler(config.run_root, config.schedule.zone), stop_when_signalled(coordinator):
        coordinator.begin(coordinator.clock())
        # APScheduler warns where a run takes longer than the time to the next: the coordinator deals with it then.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

        def fire() -> None:
            if not _is_all_done(coordinator) and wake.next_run_time and not coordinator.stop.is_set():
                wake.modify(next_run_time=min(wake.next_run_time, datetime.now(UTC) + SOON))

        trigger = ScheduleTrigger(config.schedule)
        wake = scheduler.add_job(fire, trigger, next_run_time=coordinator.clock())
        scheduler.add_job(lambda: _follow(coordinator, wake), "interval", seconds=LOOK_SECONDS)
        scheduler.start()
        first = trigger.get_next_fire_time(None, coordinator.clock())
        coordinator.say(
            f"{config.name}: '{config.schedule.cron}' {config.schedule.timezone}, next at {local(config, first)}"
        )
        coordinator.stop.wait()
        scheduler.shutdown(wait=True)
        coordinator.say(f"{config.name}: stopped")


def _is_all_done(coordinator: Coordinator) -> bool:
    """Attends to what is due; whether nothing is left that the next time of the schedule is too late for."""
    try:
        coordinator.attend()
        return not coordinator.recorder.pending()
    except Exception as error:  # the outermost frame of this thread: the scheduler lives on, and tries again soon
        if coordinator.debug:
            traceback.print_exc()
        coordinator.say(f"error: {one_line(error)}")
        return False


def _follow(coordinator: Coordinator, wake: Job) -> None:
    """Takes over another cron expression or time zone."""
    schedule = coordinator.reload().schedule
    before = wake.trigger.settings
    if (schedule.cron, schedule.timezone) != (before.cron, before.timezone):
        wake.reschedule(ScheduleTrigger(schedule))
        coordinator.begin(coordinator.clock())


@contextlib.contextmanager
def _only_scheduler(run_root: Path, zone: tzinfo) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(run_root / FOLDER, SCHEDULER, zone))
        except Held as held:
            stop = f"`kill {held.holder.process}` stops it" if held.holder else "stop that one"
            raise SchedulerRuns(
                f"a scheduler of {run_root.name} runs already, {held}; {stop}, or leave it to that one"
            ) from held
        yield


@contextlib.contextmanager
def stop_when_signalled(coordinator: Coordinator) -> Iterator[None]:
    """Has SIGTERM, SIGINT and, when its terminal closes, SIGHUP end what the coordinator does, cleanly."""
    # What nohup, or a shell with `&`, has set to be ignored stays so.
    numbers = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    with handling(numbers, lambda *_: coordinator.stop.set()):
        yield
