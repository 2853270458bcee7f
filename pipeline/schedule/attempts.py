"""What is known of an attempt: a row of the history."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from components.common.json_types import Parsed

NOT_SENT = "not sent: "  # how `Attempt.alert` begins where somebody could not be told


class AttemptVerdict(StrEnum):
    """What an attempt came to."""

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


# The model of these was judged: their images are not new any more.
JUDGED = (AttemptVerdict.PUSHED, AttemptVerdict.UNCHANGED, AttemptVerdict.REFUSED)
# Without an end of their own: another attempt follows, as often as `retries` says; a stop on request does not count.
BROKEN = (AttemptVerdict.FAILED, AttemptVerdict.TIMED_OUT, AttemptVerdict.KILLED)


class Kind(StrEnum):
    """Who asked for an attempt."""

    SCHEDULED = "scheduled"
    TRIGGERED = "triggered"
    BACKFILL = "backfill"


@dataclass(frozen=True)
class Attempt:
    """One attempt, or the note that there was none.

    Attributes:
      slot: the time that it was due at, in UTC; of a backfill the start of its day.
      kind: who asked for it.
      attempt: counted from 1 for its slot; 0 where nothing was run.
      verdict: what it came to.
      why: in a line.
      settled: whether nothing more will be tried for this slot.
      started: UTC.
      ended: UTC; None while it runs.
      spans: that it read; empty where data.path has none.
      span: the newest of them, "" without any.
      images: files that it read; None where nobody looked.
      new_images: of these, not seen by a run that came to a verdict.
      metrics: on the eval split.
      run: its number among `effnet runs`; None if it never came to a step.
      served_before: version that was served when it started; "" for none.
      served_after: when it ended.
      weights: what it started from; "" for pipeline.yaml's model.weights.
      process: id of `effnet run`'s process, and of its group.
      log: file with all that it printed.
      alert: "" before anybody was told, then when (UTC), or why somebody was not.
      told: the receivers that have taken the alert.
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
        """How long it took, 0 where the clock was set back meanwhile; None while it runs."""
        return max((self.ended - self.started).total_seconds(), 0.0) if self.ended else None

    @property
    def alert_is_due(self) -> bool:
        """Whether somebody is still to be told."""
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
