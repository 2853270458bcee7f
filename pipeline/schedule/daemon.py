"""`effnet schedule start`: a loop that wakes the coordinator whenever the cron expression says so.

It keeps no state: the history (`database`) is the durable store, so no time of the schedule is lost over a restart, or
while the machine is off. `due_times` says when, over daylight-saving changes.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.config.schedule import FOLDER, ScheduleSettings
from pipeline.execution.failures import describe, safe_traceback
from pipeline.execution.signals import handling, heeded
from pipeline.run_lock import Held, hold, is_held
from pipeline.schedule.alerts import find_receivers
from pipeline.schedule.coordinator import Coordinator
from pipeline.schedule.due_times import next_times
from pipeline.schedule.notes import local

SCHEDULER = "scheduler"  # the lock of the one scheduler
LOOK_SECONDS = 30.0  # between two looks at the clock and at pipeline.yaml, either of which may have changed
SOON = timedelta(minutes=10)  # until a failure, or an alert that was not sent, is tried again


class SchedulerRuns(RuntimeError):
    """Another scheduler runs for this pipeline."""


def need_cron(settings: ScheduleSettings) -> None:
    """Does nothing if there is a schedule.

    Raises:
      ConfigError: there is none.
    """
    if settings.cron is None:
        raise ConfigError("schedule.cron: is null; set it to start runs automatically, such as cron: '0 2 * * *'")


def need_receivers(settings: ScheduleSettings) -> None:
    """Does nothing if alerts can be sent, as far as the addresses show.

    Raises:
      ConfigError: they cannot.
    """
    if problems := find_receivers(settings.alerts).problems:
        raise ConfigError("; ".join(problems))


def is_scheduled(run_root: Path) -> bool:
    """Whether a scheduler runs for the pipeline."""
    return is_held(run_root / FOLDER, SCHEDULER)


def start(coordinator: Coordinator) -> None:
    """Runs what the schedule says until SIGTERM, SIGINT or SIGHUP, which stops a run under way; the next start resumes.

    Raises:
      ConfigError: there is no schedule, or alerts cannot be sent.
      SchedulerRuns: another scheduler runs.
    """
    config, stop = coordinator.config, coordinator.stop
    need_cron(config.schedule)
    need_receivers(config.schedule)
    with _only_scheduler(config), stop_when_signalled(coordinator):
        coordinator.begin(coordinator.clock())
        first = next_times(config.schedule, coordinator.clock(), 1)
        coordinator.say(
            f"{config.name}: '{config.schedule.cron}' {config.schedule.timezone}, "
            f"next at {local(config, next(iter(first), None))}"
        )
        while not stop.is_set():
            checked = coordinator.clock()  # before the work, during which a time may pass
            _wait_for_next(coordinator, checked, SOON if not _is_all_done(coordinator) else timedelta.max)
        coordinator.say(f"{config.name}: stopped")


def _is_all_done(coordinator: Coordinator) -> bool:
    """Deals with what is due; whether nothing is left that should not wait for the schedule's next time."""
    try:
        coordinator.attend()
        return not coordinator.recorder.pending()
    except Exception as error:  # the scheduler's outermost frame: it survives, and tries again soon
        if coordinator.debug:
            coordinator.say(safe_traceback(error))
        coordinator.say(f"error: {describe(error, coordinator.config.run_root)}")
        return False


def _wait_for_next(coordinator: Coordinator, checked: datetime, longest: timedelta) -> None:
    """Waits until the schedule's first time after `checked`, at most `longest`, or until the process is to stop.

    In pieces: the clock may be set, and jumps after the machine was suspended; pipeline.yaml may get another schedule.
    """
    until = time.monotonic() + longest.total_seconds()
    while not coordinator.stop.is_set() and (seconds := until - time.monotonic()) > 0:
        _follow(coordinator)
        now = coordinator.clock()
        checked = min(checked, now)  # or a clock that ran ahead would hold the schedule up
        for due in next_times(coordinator.config.schedule, checked, 1):
            if due <= now:
                return
            seconds = min(seconds, (due - now).total_seconds())
        coordinator.stop.wait(min(seconds, LOOK_SECONDS))


def _follow(coordinator: Coordinator) -> None:
    """Adopts another cron expression or time zone, whose times count from now on."""
    before, after = coordinator.config.schedule, coordinator.reload().schedule
    if (before.cron, before.timezone) != (after.cron, after.timezone):
        coordinator.begin(coordinator.clock())


def _only_scheduler(config: PipelineConfig) -> contextlib.AbstractContextManager[None]:
    def refusal(held: Held) -> SchedulerRuns:
        stop = f"stop it with `kill {held.holder.process}`" if held.holder else "stop it"
        return SchedulerRuns(f"a scheduler for {config.name} is already running, {held}; {stop}, or keep using it")

    return hold(config.run_root / FOLDER, SCHEDULER, config.schedule.zone, refusal)


@contextlib.contextmanager
def stop_when_signalled(coordinator: Coordinator) -> Iterator[None]:
    """Makes SIGTERM, SIGINT and, when the terminal closes, SIGHUP stop the coordinator's work cleanly."""

    def stop(number: int, frame: object) -> None:
        # In a thread: a handler interrupts the main thread anywhere, also where it holds the event's own lock.
        threading.Thread(target=coordinator.stop.set).start()

    with handling(heeded(), stop):
        yield
