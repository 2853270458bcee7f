"""Decides what to do about a schedule's times: which are due, and in which order; `launcher` runs them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from components.common.errors import DataError
from components.common.events import RunEvent
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.execution.failures import safe_traceback
from pipeline.schedule import due_times, policy
from pipeline.schedule.attempts import JUDGED, Attempt, AttemptVerdict, Kind
from pipeline.schedule.database import AttemptDatabase
from pipeline.schedule.launcher import NEWEST, Launcher
from pipeline.schedule.locks import Stopped, alone, in_turn, next_in_turn
from pipeline.schedule.new_images import NewImages, look_at
from pipeline.schedule.notes import local, note_of
from pipeline.schedule.policy import Action, Decision
from pipeline.schedule.recorder import Recorder
from pipeline.terminal import say as print_lines

SINCE, PAUSED, CRON = "since", "paused", "cron"  # what the database keeps besides attempts


@dataclass
class Coordinator:
    """Does what the schedule of one pipeline asks for.

    Attributes:
      config_path: its pipeline.yaml; read again each time, so that an edit takes effect from the next time on.
      overrides: as given to `--set`.
      clock: the time, with a zone.
      stop: set when this process is to end.
      wait: waits until a moment, or until `stop`; None: by the clock.
      say: receives what happens, line by line.
      show: receives what a run prints, line by line; None: only the run's log has it.
      follow: receives what a run reports; None: the run prints that itself.
      command: runs the pipeline, before its options.
      debug: whether tracebacks are shown.
    """

    config_path: Path
    overrides: Sequence[str] = ()
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stop: Event = field(default_factory=Event)
    wait: Callable[[datetime], None] | None = None
    say: Callable[[str], None] = print_lines
    show: Callable[[str], None] | None = None
    follow: Callable[[RunEvent], None] | None = None
    command: Sequence[str] = (sys.executable, "-P", "-m", "pipeline.cli", "run")
    debug: bool = False

    def __post_init__(self) -> None:
        self.config = load_config(self.config_path, self.overrides)
        self.store = AttemptDatabase(self.config.run_root)
        self.recorder = Recorder(self.store, self.clock, self.say)
        self._launcher = Launcher(
            self.config_path,
            self.overrides,
            self.command,
            self.store,
            self.recorder,
            self.clock,
            self.stop,
            self.say,
            self.show,
            self.follow,
        )
        self._wrong = ""  # with pipeline.yaml, as last reported

    def reload(self) -> PipelineConfig:
        """Reads pipeline.yaml again. A broken one changes nothing here; the next run fails and says what is wrong."""
        try:
            self.config, self._wrong = load_config(self.config_path, self.overrides), ""
        except ConfigError as error:
            if str(error) != self._wrong:
                self.say(f"error: {error}")
            self._wrong = str(error)
        return self.config

    def begin(self, since: datetime) -> None:
        """Counts the schedule's times from a moment on, unless it already does with the same cron expression."""
        schedule = self.config.schedule
        wanted = f"{schedule.timezone} {schedule.cron}"
        if self.store.get(CRON) != wanted:
            self.store.keep(SINCE, since.astimezone(UTC).isoformat())
            self.store.keep(CRON, wanted)

    @property
    def paused_since(self) -> datetime | None:
        """When the schedule was paused; None if it is not."""
        since = self.store.get(PAUSED)
        return datetime.fromisoformat(since) if since else None

    def attend(self) -> None:
        """Deals with all times of the schedule that have passed, once no other process works on the schedule.

        If several processes wait for their turn, the first deals with everything and the others do nothing.
        """
        with next_in_turn(self.store.folder, self.config.schedule.zone, self.stop, self.say) as ours:
            if ours:
                self._catch_up_with_crashes()
            while ours and not self.stop.is_set() and self._attend_once():
                pass

    def deal_with(self, kind: Kind, slot: datetime, span: str = "") -> Attempt:
        """Deals with one time until it is settled, retries included; returns the last attempt.

        A trigger or a backfill runs whatever `only_if` says, and at once or not at all. An interrupted backfill of a
        day resumes, a settled one runs again.

        Args:
          kind: who asks.
          slot: the moment that the run is for.
          span: to read as the newest one; "": as data.span.last says for that moment.

        Raises:
          Busy: another process works on the schedule, and a person asks.
          Stopped: a signal stopped this process before there was an attempt.
        """
        scheduled, folder, zone = kind is Kind.SCHEDULED, self.store.folder, self.config.schedule.zone
        with in_turn(folder, zone, self.stop, self.say) if scheduled else alone(folder, zone):
            self._catch_up_with_crashes((slot, kind))
            self.reload()
            if scheduled:
                self._give_up_others(slot)
            earlier = self.store.of_slot(slot, kind)
            over = len(earlier) if earlier and earlier[-1].settled else 0
            while True:
                made = self.store.of_slot(slot, kind)[over:]
                if made and (made[-1].settled or self.stop.is_set()):
                    return made[-1]
                if self.stop.is_set():
                    raise Stopped("stopped before anything started")
                if scheduled and (since := self.paused_since):
                    when = local(self.config, since)
                    why = f"the schedule is paused since {when}; `effnet schedule resume` resumes it"
                    self._settle(note_of(self.config, self.clock(), slot, kind, AttemptVerdict.MISSED, why))
                else:
                    self._step(slot, kind, made, span)

    def judged_span(self, slot: datetime, span: str) -> Attempt | None:
        """The newest attempt on that span that reached a verdict, if no image was added since; else None."""
        found = [made for made in self.store.attempts() if made.span == span and made.verdict in JUDGED]
        if not found:
            return None
        look = look_at(self.config, self.store, slot.astimezone(self.config.schedule.zone).date(), span)
        return None if look.missing or look.new_images else found[-1]

    def _catch_up_with_crashes(self, resumed: tuple[datetime, Kind] | None = None) -> None:
        """Closes attempts that a crash left open, and sends alerts that were not sent."""
        self._launcher.recover(self.config, resumed)
        self.recorder.tell_what_is_pending(self.config)

    def _attend_once(self) -> bool:
        """Deals with one time; returns whether there may be another."""
        config, now = self.reload(), self.clock()
        self.begin(now - policy.GRACE)
        if self.store.get(PAUSED):
            self.store.keep(SINCE, now.astimezone(UTC).isoformat())
            return False
        # Times further ahead were dealt with while the clock was wrong; they must not hold up the schedule until then.
        plausible = now + policy.CLOCK_AHEAD
        newest = self.store.newest_slot(plausible)
        made = self.store.of_slot(newest, Kind.SCHEDULED) if newest else []
        unfinished = newest if made and not made[-1].settled else None
        began = datetime.fromisoformat(self.store.get(SINCE))
        if began > plausible:
            began = now - policy.GRACE
            self.store.keep(SINCE, began.astimezone(UTC).isoformat())
        since = max(filter(None, [newest, began]))
        due = due_times.due_times(config.schedule, since, now)
        queue = policy.line_up(config.schedule.catch_up, unfinished, due, now)
        missed = queue.missed
        if missed and unfinished:
            missed = missed[1:]
            self._give_up(made[-1], f"{local(config, queue.next)} is due" if queue.next else "newer times have passed")
        if missed:
            self._pass_over(missed)
        if queue.next is None:
            return False
        self._step(queue.next, Kind.SCHEDULED, made if queue.next == unfinished else [])
        return True

    def _give_up(self, last: Attempt, because: str) -> None:
        """Settles a time whose last attempt left it open."""
        now, why = self.clock(), f"gave up after attempt {last.attempt}: {last.why}; {because}"
        self._settle(replace(last, id=None, attempt=0, settled=True, why=why, started=now, ended=now))

    def _give_up_others(self, slot: datetime) -> None:
        """Settles earlier times that the caller, such as Airflow, will not ask for again."""
        newest = {(one.slot, one.kind): one for one in self.store.attempts(NEWEST)}
        for (other, kind), last in newest.items():
            if kind is Kind.SCHEDULED and other != slot and not last.settled:
                self._give_up(last, f"{local(self.config, slot)} is due")

    def _pass_over(self, missed: list[datetime]) -> None:
        first, last = (local(self.config, slot) for slot in (missed[0], missed[-1]))
        times = f"{len(missed)} times passed, {first} to {last}," if len(missed) > 1 else f"{first} passed"
        why = f"{times} while nothing ran; catch_up is {self.config.schedule.catch_up}"
        self._settle(note_of(self.config, self.clock(), missed[-1], Kind.SCHEDULED, AttemptVerdict.MISSED, why))

    def _step(self, slot: datetime, kind: Kind, made: list[Attempt], span: str = "") -> None:
        """Takes one step with a time: a run, a wait, or a note that there is no run."""
        self._launcher.wait_for_others(self.config)
        if self.stop.is_set():
            return
        config = self.config
        span = next((one.span for one in made if one.span), span)
        try:
            decided, look = self._decide(slot, kind, made, span)
        except DataError as error:
            self._settle(note_of(self.config, self.clock(), slot, kind, AttemptVerdict.REFUSED, str(error), span=span))
            return
        except Exception as error:  # such as a disk that is gone: noted, retried and alerted like a failed run
            if self.debug:
                self.say(safe_traceback(error))
            self._launcher.fail(config, slot, kind, made, error, span)
            return
        if decided.action is Action.WAIT:
            self._wait_for_retry(decided, kind)
        elif look is None:
            self._give_up(made[-1], decided.reason)
        elif decided.action is Action.SETTLE:
            assert decided.verdict is not None
            self._settle(note_of(self.config, self.clock(), slot, kind, decided.verdict, decided.reason, look))
        else:
            self._launcher.launch(config, slot, kind, made, look, decided.reason)

    def _decide(self, slot: datetime, kind: Kind, made: list[Attempt], span: str) -> tuple[Decision, NewImages | None]:
        """What to do, and the images found if that depends on them."""
        schedule = self.config.schedule
        again = policy.decide_again(schedule.retries, made, self.clock()) if made else None
        if again and again.action is not Action.RUN:
            return again, None
        look = look_at(self.config, self.store, slot.astimezone(schedule.zone).date(), span)
        if again:
            return again, look
        if kind is not Kind.SCHEDULED and not look.missing:
            return Decision(Action.RUN, "on request"), look
        return policy.decide(schedule, look, self.clock()), look

    def _wait_for_retry(self, decided: Decision, kind: Kind) -> None:
        assert decided.until is not None
        until = decided.until
        if kind is Kind.SCHEDULED:  # a newer time may take the place of the retry
            until = min([until, *due_times.next_times(self.config.schedule, self.clock(), 1)])
        self.say(f"{decided.reason} at {local(self.config, decided.until)}")
        if self.wait:
            self.wait(until)
        else:
            # In pieces, because the clock jumps after the machine was suspended.
            while not self.stop.is_set() and (left := (until - self.clock()).total_seconds()) > 0:
                self.stop.wait(min(left, 30.0))

    def _settle(self, attempt: Attempt) -> None:
        self.recorder.settle(self.config, attempt)
