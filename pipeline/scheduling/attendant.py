"""Does what the schedule asks for: decides, runs the pipeline, tries again, notes, tells."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from components.errors import DataError
from pipeline.config import ConfigError, PipelineConfig, load_config
from pipeline.run_lock import RUN, Held, hold, holder_of, is_running
from pipeline.scheduling import decision
from pipeline.scheduling.child import end_group, run_child
from pipeline.scheduling.decision import Action, Decision, broken
from pipeline.scheduling.images import Looked, look_at
from pipeline.scheduling.ledger import Ledger
from pipeline.scheduling.notes import local, note_of, overrides_of, served
from pipeline.scheduling.outcome import count_runs, is_retried, outcome_of
from pipeline.scheduling.settings import duration
from pipeline.scheduling.store import BROKEN, FOLDER, JUDGED, Attempt, Kind, Store, Verdict
from pipeline.scheduling.warm_start import served_weights

ATTEMPT = "attempt"  # the lock of who attends to the schedule
SINCE, PAUSED, CRON = "since", "paused", "cron"  # what the store keeps besides the attempts
NEWEST = 20  # attempts among which one may be under way
KEPT_LOGS = 50


class Busy(RuntimeError):
    """Another process attends to the schedule."""


@dataclass
class Attendant:
    """Attends to the schedule of one pipeline.

    Attributes:
      config_path: its pipeline.yaml; read anew each time, so that an edit holds from the next time on.
      overrides: as `--set` has them.
      clock: the time, with a zone.
      stop: set when this process is to end.
      wait: waits until a moment, or until `stop`.
      say: told what happens, in lines.
      command: runs the pipeline, before its options.
    """

    config_path: Path
    overrides: Sequence[str] = ()
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stop: Event = field(default_factory=Event)
    wait: Callable[[datetime], None] | None = None
    say: Callable[[str], None] = print
    command: Sequence[str] = (sys.executable, "-m", "pipeline.cli", "run")

    def __post_init__(self) -> None:
        self.config = load_config(self.config_path, self.overrides)
        self.store = Store(self.config.run_root)
        self._ledger = Ledger(self.store, self.clock, self.say)

    def reload(self) -> PipelineConfig:
        """Reads pipeline.yaml again. One that is broken changes nothing here; the next run fails with what is wrong."""
        try:
            self.config = load_config(self.config_path, self.overrides)
        except ConfigError as error:
            self.say(f"error: {error}")
        return self.config

    def begin(self, since: datetime) -> None:
        """Counts the schedule's times from a moment on, unless it was begun before with the same cron expression."""
        schedule = self.config.schedule
        wanted = f"{schedule.timezone} {schedule.cron}"
        if self.store.get(CRON) != wanted:
            self.store.keep(SINCE, since.astimezone(UTC).isoformat())
            self.store.keep(CRON, wanted)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps others from attending to the schedule.

        Raises:
          Busy: another process does.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(hold(self.config.run_root / FOLDER, ATTEMPT))
            except Held as holder:
                raise Busy(
                    f"a scheduled run of {self.config.name} is under way, {holder}; wait for its end, "
                    "`effnet schedule list` shows it"
                ) from holder
            self._recover()
            self._ledger.tell_what_is_pending(self.config)
            yield

    def attend(self) -> None:
        """Deals with all times of the schedule that have passed.

        Raises:
          Busy: another process does.
        """
        with self.alone():
            while not self.stop.is_set() and self._attend_once():
                pass

    def deal_with(self, kind: Kind, slot: datetime, span: str = "") -> Attempt:
        """Deals with one time to its end, retries and all; returns the last attempt.

        What a person asks for is run whether or not it is worth it. One that was interrupted before is gone on with; a
        settled one is made anew.

        Args:
          kind: who asks.
          slot: the moment that the run is for.
          span: to read as the newest one; "": as data.span.last says for that moment.

        Raises:
          Busy: another process attends to the schedule.
        """
        with self.alone():
            self.reload()
            earlier = self.store.of_slot(slot, kind)
            over = len(earlier) if earlier and earlier[-1].settled else 0
            while True:
                made = self.store.of_slot(slot, kind)[over:]
                if made and (made[-1].settled or self.stop.is_set()):
                    return made[-1]
                self._step(slot, kind, made, span)

    def judged_span(self, slot: datetime, span: str) -> Attempt | None:
        """The newest attempt on that span that came to a verdict, if no image has come to it since; else None."""
        found = [made for made in self.store.attempts() if made.span == span and made.verdict in JUDGED]
        look = look_at(self.config, self.store, slot.astimezone(self.config.schedule.zone).date(), span)
        return found[-1] if found and not look.missing and not look.new_images else None

    def _attend_once(self) -> bool:
        """Deals with one time; whether there may be another."""
        config, now = self.reload(), self.clock()
        self.begin(now - decision.GRACE)
        if self.store.get(PAUSED):
            self.store.keep(SINCE, now.astimezone(UTC).isoformat())
            return False
        newest = self.store.newest_slot()
        made = self.store.of_slot(newest, Kind.SCHEDULED) if newest else []
        unfinished = newest if made and not made[-1].settled else None
        since = max(filter(None, [newest, datetime.fromisoformat(self.store.get(SINCE))]))
        due = decision.due_times(config.schedule, since, now)
        queue = decision.line_up(config.schedule.catch_up, unfinished, due, now)
        if queue.missed:
            self._pass_over(queue.missed, made if unfinished else [], queue.next)
        if queue.next is None:
            return False
        of_slot = made if queue.next == unfinished else []
        self._step(queue.next, Kind.SCHEDULED, of_slot)
        return True

    def _pass_over(self, missed: list[datetime], unfinished: list[Attempt], newer: datetime | None) -> None:
        if unfinished:
            last, *_ = unfinished[::-1]
            why = f"gave up after attempt {last.attempt}: {last.why}; {local(self.config, newer)} is due"
            self._settle(replace(last, id=None, attempt=0, why=why, started=self.clock(), ended=self.clock(), alert=""))
            missed = missed[1:]
        if missed:
            first, last_missed = (local(self.config, slot) for slot in (missed[0], missed[-1]))
            times = f"{len(missed)} times passed, {first} to {last_missed}," if len(missed) > 1 else f"{first} passed"
            why = f"{times} while nothing ran; catch_up is {self.config.schedule.catch_up}"
            self._settle(self._note_of(missed[-1], Kind.SCHEDULED, Verdict.MISSED, why))

    def _step(self, slot: datetime, kind: Kind, made: list[Attempt], span: str = "") -> None:
        """Comes one step further with a time: a run, a wait, or the note that there is none."""
        config = self.config
        span = made[0].span if made and made[0].span else span
        try:
            look = look_at(config, self.store, slot.astimezone(config.schedule.zone).date(), span)
            if kind is not Kind.SCHEDULED and not made and not look.missing:
                decided = Decision(Action.RUN, "asked for")
            else:
                decided = decision.decide(config.schedule, made, look, self.clock())
        except DataError as error:
            self._settle(replace(self._note_of(slot, kind, Verdict.REFUSED, str(error)), span=span))
            return
        if decided.action is Action.WAIT:
            assert decided.until is not None
            self._wait_for_retry(decided, kind)
        elif decided.action is Action.SETTLE:
            assert decided.verdict is not None
            self._settle(self._note_of(slot, kind, decided.verdict, decided.reason, look))
        else:
            self._run(slot, kind, made, look, decided.reason)

    def _wait_for_retry(self, decided: Decision, kind: Kind) -> None:
        assert decided.until is not None
        until = decided.until
        if kind is Kind.SCHEDULED:  # a newer time may take the place of the retry
            until = min([until, *decision.next_times(self.config.schedule, self.clock(), 1)])
        self.say(f"{decided.reason} at {local(self.config, decided.until)}")
        if self.wait:
            self.wait(until)
        else:
            # In pieces, for after a suspension of the machine its clock is ahead of what was waited.
            while not self.stop.is_set() and (left := (until - self.clock()).total_seconds()) > 0:
                self.stop.wait(min(left, 30.0))

    def _run(self, slot: datetime, kind: Kind, made: list[Attempt], look: Looked, reason: str) -> None:
        config = self.config
        version = served(config)
        # The same for every attempt at a slot: a retry goes on with the training, and finds in the cache what is done.
        weights = made[0].weights if made else served_weights(config)
        attempt = self.store.note(
            replace(
                self._note_of(slot, kind, Verdict.RUNNING, reason, look),
                attempt=1 + sum(one.attempt > 0 for one in made),
                settled=False,
                ended=None,
                served_before=made[0].served_before if made else version,
                weights=weights,
            )
        )
        log = self.store.folder / "logs" / f"{attempt.id}.log"
        attempt = self.store.note(replace(attempt, log=str(log)))
        self._clear_logs()
        self._ledger.write_report_file()
        self.say(f"{local(config, slot)}: attempt {attempt.attempt}, {reason}")
        runs_before = count_runs(config)

        def started(process: int) -> None:
            self.store.note(replace(attempt, process=process))

        command = [*self.command, "--config", str(self.config_path)]
        for setting in (*self.overrides, *overrides_of(config, look, weights)):
            command += ["--set", setting]
        ended = run_child(command, log, duration(config.schedule.time_limit), self.stop, started)
        outcome = outcome_of(config, ended, log, runs_before)
        version = served(config)
        verdict = outcome.verdict
        if verdict is Verdict.UNCHANGED and version != attempt.served_before:
            verdict = Verdict.PUSHED  # by an attempt that was killed right after it
        if verdict in JUDGED:
            look.note_seen()
        failures = broken(made) + (verdict in BROKEN)
        again = verdict is Verdict.INTERRUPTED or (
            is_retried(verdict, ended) and failures <= config.schedule.retries.times
        )
        done = replace(
            attempt,
            verdict=verdict,
            why=outcome.why,
            settled=not again,
            ended=self.clock(),
            metrics=outcome.metrics,
            run=outcome.run,
            served_after=version,
        )
        if again:
            self.store.note(done)
            self.say(f"{verdict}: {outcome.why}")
        else:
            self._settle(done)

    def _recover(self) -> None:
        """Closes the attempt that was under way when the process which attended to it died."""
        for attempt in self.store.attempts(NEWEST):
            if attempt.verdict is not Verdict.RUNNING:
                continue
            root = self.config.run_root
            if attempt.process and is_running(root) and holder_of(root, RUN).startswith(f"process {attempt.process} "):
                end_group(attempt.process)
            failures = broken(self.store.of_slot(attempt.slot, attempt.kind)) + 1
            closed = replace(
                attempt,
                verdict=Verdict.KILLED,
                why="the scheduler or the machine stopped while it ran",
                settled=failures > self.config.schedule.retries.times,
                ended=self.clock(),
                served_after=served(self.config),
            )
            if closed.settled:
                self._settle(closed)
            else:
                self.store.note(closed)

    def _clear_logs(self) -> None:
        logs = sorted((self.store.folder / "logs").glob("*.log"), key=lambda path: int(path.stem))
        for old in logs[:-KEPT_LOGS]:
            old.unlink()

    def _note_of(self, slot: datetime, kind: Kind, verdict: Verdict, why: str, look: Looked | None = None) -> Attempt:
        return note_of(self.config, self.clock(), slot, kind, verdict, why, look)

    def _settle(self, attempt: Attempt) -> None:
        self._ledger.settle(self.config, attempt)
