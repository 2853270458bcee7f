"""Launches attempts: the pipeline in a process of its own, its result, and what a crash left open."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from components.common.errors import one_line
from components.common.events import EVENTS_FILE, EVENTS_SHOWN, RunEvent, from_line, read_events
from pipeline.config.load import ConfigSource
from pipeline.config.model import PipelineConfig
from pipeline.config.schedule import duration
from pipeline.config.secrets import hide_secrets
from pipeline.execution.failures import safe_traceback
from pipeline.history.metadata import count_runs
from pipeline.run_lock import RUN, described, holder_of, is_running
from pipeline.schedule.attempts import BROKEN, JUDGED, Attempt, AttemptVerdict, Kind
from pipeline.schedule.database import AttemptDatabase
from pipeline.schedule.locks import LOOK_SECONDS
from pipeline.schedule.log_follower import Follower
from pipeline.schedule.new_images import NewImages
from pipeline.schedule.notes import heading, note_of, overrides_of, served
from pipeline.schedule.policy import broken
from pipeline.schedule.process import end_group, run_child
from pipeline.schedule.recorder import Recorder
from pipeline.schedule.result import is_retried, outcome_of
from pipeline.schedule.warm_start import served_weights

NEWEST = 20  # attempts among which one may be under way
KEPT_LOGS = 50
EVENTS_SUFFIX = ".events"  # beside the log: what the run reported


@dataclass(frozen=True)
class Launcher:
    """Makes attempts, one after the other; the caller holds the schedule's lock.

    Attributes:
      config_path: the pipeline.yaml to run.
      overrides: as given to `--set`.
      command: runs the pipeline, before its options.
      store: the history.
      recorder: settles an attempt.
      clock: the time, with a zone.
      stop: set when this process is to end.
      say: receives what happens, line by line.
      show: receives what a run prints, line by line; None: only the run's log has it.
      follow: receives what a run reports; None: the run prints that itself.
    """

    config_path: Path
    overrides: Sequence[str]
    command: Sequence[str]
    store: AttemptDatabase
    recorder: Recorder
    clock: Callable[[], datetime]
    stop: Event
    say: Callable[[str], None]
    show: Callable[[str], None] | None = None
    follow: Callable[[RunEvent], None] | None = None

    def wait_for_others(self, config: PipelineConfig) -> None:
        """Waits while another process runs the pipeline, by `effnet run`, or until `stop`."""
        root = config.run_root
        if is_running(root):
            holder = described(holder_of(root, RUN), config.schedule.zone)
            self.say(f"another run of {config.name} is under way, {holder}; waiting until it ends")
        while is_running(root) and not self.stop.is_set():
            self.stop.wait(LOOK_SECONDS)

    def launch(
        self, config: PipelineConfig, slot: datetime, kind: Kind, made: list[Attempt], look: NewImages, reason: str
    ) -> None:
        """Runs the pipeline once, and notes the result.

        Args:
          config: of the pipeline.
          slot: the time that the run is for.
          kind: who asks.
          made: the attempts at it before this one, the oldest first.
          look: the images found.
          reason: why it runs, in a line.
        """
        # Every attempt at a slot starts from the same weights, so that a retry resumes the training and takes finished
        # steps from the cache.
        first = next((one for one in made if one.log), None)
        attempt = self.store.note(
            replace(
                note_of(config, self.clock(), slot, kind, AttemptVerdict.RUNNING, reason, look),
                attempt=_next_number(made),
                settled=False,
                ended=None,
                served_before=first.served_before if first else served(config),
                weights=first.weights if first else served_weights(config),
            )
        )
        log = self.store.folder / "logs" / f"{attempt.id}.log"
        log.parent.mkdir(exist_ok=True)
        attempt = self.store.note(replace(attempt, log=str(log)))
        self._clear_logs()
        self.recorder.write_report_file(config)
        self.say(f"{heading(config, self.clock(), attempt)}: attempt {attempt.attempt}, {reason}")
        try:
            closed, retried = self._run(config, attempt, look)
        except Exception as error:  # outside the pipeline, such as in reading its metadata; the history notes it
            with log.open("a", encoding="utf-8") as file:
                file.write(safe_traceback(error))
            closed, retried = (
                replace(attempt, verdict=AttemptVerdict.FAILED, why=f"{_in_a_line(error)}; see {log}"),
                True,
            )
        self._close(config, closed, made, retried, self.clock())

    def _run(self, config: PipelineConfig, attempt: Attempt, look: NewImages) -> tuple[Attempt, bool]:
        """Runs the pipeline; returns the attempt with its result, and whether a retry may end differently."""
        runs_before, log = count_runs(config.metadata_path), Path(attempt.log)

        def started(process: int) -> None:
            self.store.note(replace(attempt, process=process))

        settings = (*self.overrides, *overrides_of(config, look, attempt.weights))
        command = [*self.command, *ConfigSource(self.config_path, settings).options]
        reported = log.with_suffix(EVENTS_SUFFIX)
        reported.unlink(missing_ok=True)
        variables = {EVENTS_FILE: str(reported), **({EVENTS_SHOWN: "1"} if self.follow else {})}
        limit = duration(config.schedule.time_limit)
        ended = run_child(command, log, limit, self.stop, started, self._watch(log, reported), variables)
        outcome = outcome_of(config, ended, log, list(read_events(reported)), runs_before)
        verdict = outcome.verdict
        if verdict is AttemptVerdict.UNCHANGED and served(config) != attempt.served_before:
            verdict = AttemptVerdict.PUSHED  # by an attempt that was killed right after its push
        if verdict in JUDGED:
            look.note_seen()
        closed = replace(attempt, verdict=verdict, why=outcome.why, metrics=outcome.metrics, run=outcome.run)
        return closed, is_retried(verdict, ended)

    def _watch(self, log: Path, reported: Path) -> Callable[[], None]:
        """Returns a function that forwards the run's new lines and events."""
        followers = [Follower(log, self.show)] if self.show else []
        if follow := self.follow:

            def pass_on(line: str) -> None:
                if event := from_line(line):
                    follow(event)

            followers.append(Follower(reported, pass_on))

        def watch() -> None:
            for follower in followers:
                follower()

        return watch

    def fail(
        self, config: PipelineConfig, slot: datetime, kind: Kind, made: list[Attempt], error: Exception, span: str
    ) -> None:
        """Notes an attempt that failed before the pipeline started, such as on a disk that is gone.

        Args:
          config, slot, kind, made: as above.
          error: what happened.
          span: of a backfill; else "".
        """
        note = note_of(config, self.clock(), slot, kind, AttemptVerdict.FAILED, _in_a_line(error), span=span)
        self._close(config, replace(note, attempt=_next_number(made)), made, True, self.clock())

    def recover(self, config: PipelineConfig, resumed: tuple[datetime, Kind] | None) -> None:
        """Closes the attempt that was under way when its process died.

        Args:
          config: of the pipeline.
          resumed: the time to be resumed now. Other runs that a person started do not resume by themselves.
        """
        for attempt in self.store.attempts(NEWEST):
            if attempt.verdict is not AttemptVerdict.RUNNING:
                continue
            holder = holder_of(config.run_root, RUN) if is_running(config.run_root) else None
            if holder and holder.is_here and attempt.process and _group_of(holder.process) == attempt.process:
                end_group(attempt.process)
            retried = attempt.kind is Kind.SCHEDULED or (attempt.slot, attempt.kind) == resumed
            why = "its scheduler, its command or the machine stopped while it ran"
            why += "" if retried else "; it will not resume by itself: run the command again"
            closed = replace(attempt, verdict=AttemptVerdict.KILLED, why=why)
            made = self.store.of_slot(attempt.slot, attempt.kind)
            self._close(config, closed, made, retried, _last_sign(attempt, self.clock()))

    def _close(
        self, config: PipelineConfig, attempt: Attempt, made: Sequence[Attempt], retried: bool, ended: datetime
    ) -> None:
        """Notes how an attempt ended, and when; it is settled unless another follows, which `retried` allows."""
        failures = broken(made) + (attempt.verdict in BROKEN)
        if attempt.verdict is AttemptVerdict.INTERRUPTED:
            again = attempt.kind is not Kind.TRIGGERED  # a trigger's time does not come again
        else:
            again = retried and failures <= config.schedule.retries.times
        closed = replace(attempt, settled=not again, ended=ended, served_after=served(config))
        if again:
            self.store.note(closed)
            self.say(f"{closed.verdict}: {closed.why}")
        else:
            self.recorder.settle(config, closed)

    def _clear_logs(self) -> None:
        logs = [path for path in (self.store.folder / "logs").glob("*.log") if path.stem.isdecimal()]
        for old in sorted(logs, key=lambda path: int(path.stem))[:-KEPT_LOGS]:
            old.unlink()
            old.with_suffix(EVENTS_SUFFIX).unlink(missing_ok=True)


def _group_of(process: int) -> int | None:
    """The process's group, which only processes of its attempt are in; None if there is no such process."""
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def _next_number(made: Sequence[Attempt]) -> int:
    return 1 + sum(one.attempt > 0 for one in made)


def _last_sign(attempt: Attempt, now: datetime) -> datetime:
    """When an attempt whose end is unknown last printed something; when it started, if it printed nothing."""
    log = Path(attempt.log)
    if not attempt.log or not log.exists():
        return attempt.started
    return min(datetime.fromtimestamp(log.stat().st_mtime, UTC), now)


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {hide_secrets(one_line(error))}"
