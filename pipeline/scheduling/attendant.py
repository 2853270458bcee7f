"""Does what the schedule asks for: decides, runs the pipeline, tries again, notes, tells."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from threading import Event

from components.errors import DataError
from components.served_model.versions import pushed_versions
from pipeline.config import ConfigError, PipelineConfig, load_config
from pipeline.run_lock import RUN, Held, hold, holder_of, is_running
from pipeline.scheduling import alerts, decision
from pipeline.scheduling.child import end_group, run_child
from pipeline.scheduling.decision import Action, Decision, broken
from pipeline.scheduling.images import Looked, look_at
from pipeline.scheduling.outcome import count_runs, is_retried, outcome_of
from pipeline.scheduling.settings import duration
from pipeline.scheduling.store import BROKEN, FOLDER, JUDGED, REPORT_FILE, Attempt, Kind, Store, Verdict
from pipeline.scheduling.warm_start import served_weights

ATTEMPT = "attempt"  # the lock of who attends to the schedule
SINCE, PAUSED, CRON = "since", "paused", "cron"  # what the store keeps besides the attempts
NOT_SENT = "not sent: "
PENDING_LOOKED_AT = 20  # newest attempts whose alert is sent if that failed before
KEPT_LOGS = 50
REPORTED = 30  # attempts that a run's report shows


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
            self._tell_what_is_pending()
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

    def judged_span(self, span: str) -> Attempt | None:
        """The newest attempt with that span as its newest which came to a verdict on its model."""
        found = [made for made in self.store.attempts() if made.span == span and made.verdict in JUDGED]
        return found[-1] if found else None

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
            why = f"gave up after {len(unfinished)} attempts, the last: {last.why}; {_local(self.config, newer)} is due"
            self._settle(replace(last, id=None, attempt=0, why=why, started=self.clock(), ended=self.clock(), alert=""))
            missed = missed[1:]
        if missed:
            first, last_missed = (_local(self.config, slot) for slot in (missed[0], missed[-1]))
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
            self._settle(self._note_of(slot, kind, Verdict.REFUSED, str(error), span=span))
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
        self.say(f"{decided.reason} at {_local(self.config, decided.until)}")
        if self.wait:
            self.wait(until)
        else:
            # In pieces, for after a suspension of the machine its clock is ahead of what was waited.
            while not self.stop.is_set() and (left := (until - self.clock()).total_seconds()) > 0:
                self.stop.wait(min(left, 30.0))

    def _run(self, slot: datetime, kind: Kind, made: list[Attempt], look: Looked, reason: str) -> None:
        config = self.config
        served = _served(config)
        # The same for every attempt at a slot: a retry goes on with the training, and finds in the cache what is done.
        weights = made[0].weights if made else served_weights(config)
        attempt = self.store.note(
            replace(
                self._note_of(slot, kind, Verdict.RUNNING, reason, look),
                attempt=1 + sum(one.attempt > 0 for one in made),
                settled=False,
                ended=None,
                served_before=made[0].served_before if made else served,
                weights=weights,
            )
        )
        log = self.store.folder / "logs" / f"{attempt.id}.log"
        attempt = self.store.note(replace(attempt, log=str(log)))
        self._clear_logs()
        self._write_history()
        self.say(f"{_local(config, slot)}: attempt {attempt.attempt}, {reason}")
        runs_before = count_runs(config)

        def started(process: int) -> None:
            self.store.note(replace(attempt, process=process))

        command = [*self.command, "--config", str(self.config_path)]
        for setting in (*self.overrides, *self._overrides(look, weights)):
            command += ["--set", setting]
        ended = run_child(command, log, duration(config.schedule.time_limit), self.stop, started)
        outcome = outcome_of(config, ended, log, runs_before)
        served = _served(config)
        verdict = outcome.verdict
        if verdict is Verdict.UNCHANGED and served != attempt.served_before:
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
            served_after=served,
        )
        if again:
            self.store.note(done)
            self.say(f"{verdict}: {outcome.why}")
        else:
            self._settle(done)

    def _overrides(self, look: Looked, weights: str) -> Iterator[str]:
        """What a scheduled run is told besides pipeline.yaml."""
        schedule = self.config.schedule
        if look.span:
            yield f"data.span.last={json.dumps(look.span)}"
        if schedule.window:
            yield f"data.span.window={schedule.window}"
        if schedule.tune_when is not None:
            yield f"tune.when={json.dumps(schedule.model_dump(mode='json')['tune_when'])}"
        if weights:
            yield f"model.weights={json.dumps(weights)}"

    def _note_of(
        self,
        slot: datetime,
        kind: Kind,
        verdict: Verdict,
        why: str,
        look: Looked | None = None,
        span: str = "",
    ) -> Attempt:
        """A settled note without a run."""
        now, served = self.clock(), _served(self.config)
        there = look if look and not look.missing else None
        return Attempt(
            slot=slot.astimezone(UTC),
            kind=kind,
            attempt=0,
            verdict=verdict,
            why=why,
            settled=True,
            started=now,
            ended=now,
            spans=there.spans if there else (),
            span=look.span if look else span,
            images=there.images if there else None,
            new_images=there.new_images if there else None,
            served_before=served,
            served_after=served,
        )

    def _settle(self, attempt: Attempt) -> None:
        """Notes what a slot came to in the end, and tells whoever wants to hear it."""
        noted = self.store.note(attempt)
        self.say(f"{_local(self.config, noted.slot)}: {noted.verdict}: {noted.why}")
        self._tell(noted)
        self._write_history()

    def _tell(self, attempt: Attempt) -> None:
        try:
            told = alerts.tell(self.config.schedule.alerts, self.config.name, attempt)
        except alerts.AlertError as error:
            self.say(f"error: {error}")
            told = f"{NOT_SENT}{error}"
        else:
            told = told if told == alerts.NOBODY else f"{self.clock().astimezone(UTC).isoformat()} {told}"
        self.store.note(replace(attempt, alert=told))

    def _tell_what_is_pending(self) -> None:
        for attempt in self.store.attempts(PENDING_LOOKED_AT):
            if attempt.settled and (not attempt.alert or attempt.alert.startswith(NOT_SENT)):
                self._tell(attempt)

    def _recover(self) -> None:
        """Closes the attempt that was under way when the process which attended to it died."""
        for attempt in self.store.attempts(PENDING_LOOKED_AT):
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
                served_after=_served(self.config),
            )
            if closed.settled:
                self._settle(closed)
            else:
                self.store.note(closed)

    def _write_history(self) -> None:
        """For the reports of runs, which know nothing of the store."""
        rows = [attempt.as_json() for attempt in self.store.attempts(REPORTED)]
        path = self.store.folder / REPORT_FILE
        new = path.with_suffix(".new")
        new.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        new.replace(path)

    def _clear_logs(self) -> None:
        logs = sorted((self.store.folder / "logs").glob("*.log"), key=lambda path: int(path.stem))
        for old in logs[:-KEPT_LOGS]:
            old.unlink()


def day_start(config: PipelineConfig, day: date) -> datetime:
    """The first moment of a day in the schedule's time zone."""
    return datetime.combine(day, time(), config.schedule.zone)


def _served(config: PipelineConfig) -> str:
    """The served version; "" for none."""
    return next(iter(pushed_versions(config.push_path)), "")


def _local(config: PipelineConfig, moment: datetime | None) -> str:
    return moment.astimezone(config.schedule.zone).strftime("%Y-%m-%d %H:%M") if moment else "none"
