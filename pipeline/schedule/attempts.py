"""An attempt at a time of the schedule: a row of the history."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from components.common.json_types import Parsed

NOT_SENT = "not sent: "  # how `Attempt.alert` begins if a receiver has not accepted it


class AttemptVerdict(StrEnum):
    """The result of an attempt."""

    RUNNING = "running"
    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    MISSING_DATA = "missing data"
    NOTHING_NEW = "nothing new"
    MISSED = "missed"


# Runs that reached a verdict on their model: their images are no longer new.
JUDGED = (AttemptVerdict.PUSHED, AttemptVerdict.UNCHANGED, AttemptVerdict.REFUSED)
# Retried as often as `retries` says; a stop on request does not count.
BROKEN = (AttemptVerdict.FAILED, AttemptVerdict.TIMED_OUT, AttemptVerdict.KILLED)


class Kind(StrEnum):
    """What an attempt is made for."""

    SCHEDULED = "scheduled"
    TRIGGERED = "triggered"
    BACKFILL = "backfill"


@dataclass(frozen=True)
class Attempt:
    """One attempt, or a note that there was none.

    Attributes:
      slot: when it was due, in UTC; for a backfill the start of its day.
      kind: what it is made for.
      attempt: counted from 1 for its slot; 0 if nothing ran.
      verdict: its result.
      why: in a line.
      settled: whether nothing more is tried for this slot.
      started: UTC.
      ended: UTC; None while it runs.
      spans: those it read; empty if data.path has none.
      span: the newest of them; "" if there is none.
      images: files that it read; None if they were not counted.
      new_images: of these, the ones that no run that reached a verdict has read.
      metrics: on the eval split.
      run: its number in `effnet runs`; None if no step started.
      served_before: version that was served when it started; "" if none was.
      served_after: when it ended.
      weights: what it started from; "" for pipeline.yaml's model.weights.
      process: id of `effnet run`'s process, and of its group.
      log: file with everything that it printed.
      alert: "" before the alert, then when it was sent (UTC) and to whom, or why it was not sent to all.
      told: the receivers that have accepted the alert.
      id: counted from 1; None before it is noted.
    """

    slot: datetime
    kind: Kind
    attempt: int
    verdict: AttemptVerdict
    why: str
    settled: bool
    started: datetime
    ended: datetime | None = None
    spans: tuple[str, ...] = ()
    span: str = ""
    images: int | None = None
    new_images: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    run: int | None = None
    served_before: str = ""
    served_after: str = ""
    weights: str = ""
    process: int | None = None
    log: str = ""
    alert: str = ""
    told: tuple[str, ...] = ()
    id: int | None = None

    @property
    def seconds(self) -> float | None:
        """Its duration, 0 if the clock was set back meanwhile; None while it runs."""
        return max((self.ended - self.started).total_seconds(), 0.0) if self.ended else None

    @property
    def alert_is_due(self) -> bool:
        """Whether a receiver still waits for the alert."""
        return self.settled and (not self.alert or self.alert.startswith(NOT_SENT))

    def as_json(self) -> dict[str, Parsed]:
        """Plain values."""
        values = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()
        }
        return {
            "id": values.pop("id"),
            **values,
            "spans": list(self.spans),
            "told": list(self.told),
            "seconds": self.seconds,
        }
