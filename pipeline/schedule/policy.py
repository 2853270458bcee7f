"""The decision what to do now, from the settings, the clock, the history and the images found; without side effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pipeline.config.schedule import CatchUp, OnlyIf, Retries, ScheduleSettings, duration
from pipeline.schedule.attempts import BROKEN, Attempt, AttemptVerdict

GRACE = timedelta(minutes=10)  # a time that passed longer ago was missed; timers may be late, machines start slowly
CLOCK_AHEAD = timedelta(days=1)  # how far a clock may be set back without a time of the schedule coming twice


class Action(StrEnum):
    """What to do."""

    RUN = "run"
    WAIT = "wait"
    SETTLE = "settle"


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes:
      action: run the pipeline, wait until `until`, or note a verdict without a run.
      reason: in a line.
      verdict: to note.
      until: the moment to wait for.
    """

    action: Action
    reason: str
    verdict: AttemptVerdict | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Queue:
    """The times to deal with.

    Attributes:
      missed: to pass over, the oldest first.
      next: to deal with now; None: none.
      later: to deal with after that.
    """

    missed: list[datetime]
    next: datetime | None
    later: list[datetime]


class ImagesFound(Protocol):
    """What a run would find."""

    @property
    def missing(self) -> str:
        """Which images are missing, in a line; "" if none are."""

    @property
    def new_images(self) -> int:
        """Files that no run that reached a verdict has read."""

    @property
    def served_since(self) -> datetime | None:
        """When the served model was pushed; None if there is none."""

    def drift(self) -> Mapping[str, float] | None:
        """Feature -> divergence from the served model's images; reads a sample of the files. None: unknown."""


def line_up(catch_up: CatchUp, unfinished: datetime | None, due: Sequence[datetime], now: datetime) -> Queue:
    """Chooses among the times that have passed.

    Args:
      catch_up: the policy.
      unfinished: a time whose run failed and is to be retried; None: there is none.
      due: those not dealt with yet, the oldest first.
      now: the moment.
    """
    waiting = [*([unfinished] if unfinished else []), *due]
    if not waiting:
        return Queue([], None, [])
    if catch_up == "all":
        return Queue([], waiting[0], waiting[1:])
    *older, newest = waiting
    if catch_up == "none" and newest != unfinished and now - newest > GRACE:
        return Queue(waiting, None, [])
    return Queue(older, newest, [])


def decide(settings: ScheduleSettings, look: ImagesFound, now: datetime) -> Decision:
    """Decides about a time of the schedule without attempts so far.

    Args:
      settings: of the schedule.
      look: what a run would find now.
      now: the moment.
    """
    if look.missing:
        return Decision(Action.SETTLE, look.missing, AttemptVerdict.MISSING_DATA)
    return _worth_it(settings.only_if, look, now)


def decide_again(retries: Retries, made: Sequence[Attempt], now: datetime) -> Decision:
    """Decides about a time whose attempts, the oldest first, left it open."""
    last, failures = made[-1], broken(made)
    if last.verdict is AttemptVerdict.INTERRUPTED:
        return Decision(Action.RUN, "resumed after a stop")
    if failures > retries.times:
        return Decision(Action.SETTLE, f"schedule.retries.times is {retries.times}", last.verdict)
    until = (last.ended or last.started) + retries.wait_before(failures)
    if now < until:
        return Decision(Action.WAIT, f"retry {failures} of {retries.times}", until=until)
    return Decision(Action.RUN, f"retry {failures} of {retries.times}; the attempt before: {last.verdict}")


def broken(made: Sequence[Attempt]) -> int:
    """How many of the attempts count against `retries`."""
    return sum(attempt.verdict in BROKEN for attempt in made)


def _worth_it(only_if: OnlyIf, look: ImagesFound, now: datetime) -> Decision:
    if look.served_since is None:
        return Decision(Action.RUN, "no model is served yet")
    conditions: list[str] = []
    if only_if.new_images is not None:
        if look.new_images >= only_if.new_images:
            return Decision(Action.RUN, f"{look.new_images:,} new images")
        conditions.append(f"{look.new_images:,} new images, at least {only_if.new_images:,} needed")
    if only_if.max_age is not None:
        age = now - look.served_since
        if age >= duration(only_if.max_age):
            return Decision(Action.RUN, f"the served model is {_days(age)} old")
        if age < -CLOCK_AHEAD:
            return Decision(
                Action.RUN, "the served model is dated in the future: a clock was wrong, so its age is unknown"
            )
        conditions.append(f"the served model is {_days(age)} old, at least {only_if.max_age} needed")
    if only_if.drift_limit is not None:
        drift = look.drift()
        if drift is None and look.new_images:
            return Decision(Action.RUN, "the drift of the images is unknown until a run has read them")
        if beyond := {feature: by for feature, by in (drift or {}).items() if by > only_if.drift_limit}:
            told = ", ".join(f"{feature} by {by:.2f}" for feature, by in beyond.items())
            return Decision(Action.RUN, f"the images drifted: {told}")
        found = "unknown drift" if drift is None else f"drift of {max(drift.values(), default=0.0):.2f}"
        conditions.append(f"{found}, more than {only_if.drift_limit:g} needed")
    if not conditions:
        return Decision(Action.RUN, "scheduled")
    return Decision(Action.SETTLE, "; ".join(conditions), AttemptVerdict.NOTHING_NEW)


def _days(age: timedelta) -> str:
    return f"{age.days} d" if age.days else f"{age.seconds // 3600} h"
