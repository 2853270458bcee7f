"""The result of a run, from its exit status, the events that it reported, and ML Metadata."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.common.events import RunEnded, RunEvent
from components.common.metrics import EXAMPLES, METRICS
from pipeline.config.model import PipelineConfig
from pipeline.exit_codes import ExitCode
from pipeline.history.metadata import all_runs, count_runs
from pipeline.history.runs import line_of, problems_of, verdict_of
from pipeline.schedule.attempts import BROKEN, AttemptVerdict
from pipeline.schedule.process import Ended

MOST_REASONS = 5
SHOWN = tuple(name for name in METRICS if name != EXAMPLES)


@dataclass(frozen=True)
class AttemptResult:
    """The result of a run.

    Attributes:
      verdict: in a word.
      why: in a line.
      metrics: on the eval split; empty if the model was not evaluated.
      run: its number; None if no step started.
    """

    verdict: AttemptVerdict
    why: str
    metrics: dict[str, float] = field(default_factory=dict)
    run: int | None = None


def outcome_of(
    config: PipelineConfig, ended: Ended, log: Path, reported: Sequence[RunEvent], runs_before: int
) -> AttemptResult:
    """Says how `effnet run` ended and why.

    Args:
      config: of the pipeline.
      ended: how the process ended.
      log: file with everything that it printed, to be named in the reason.
      reported: its events.
      runs_before: how many runs there were before it.
    """
    new = count_runs(config.metadata_path) > runs_before
    record = all_runs(config.metadata_path, last=1)[0] if new else None
    run = record.number if record else None
    if ended.by == "stop":
        return AttemptResult(AttemptVerdict.INTERRUPTED, "stopped on request", run=run)
    if ended.by == "time limit":
        limit = config.schedule.time_limit
        return AttemptResult(
            AttemptVerdict.TIMED_OUT, f"took longer than schedule.time_limit, {limit}; see {log}", run=run
        )
    if ended.code is None:
        return AttemptResult(
            AttemptVerdict.KILLED, f"by {ended.by}: somebody killed it, or memory ran out; see {log}", run=run
        )
    error = next((event.error for event in reversed(reported) if isinstance(event, RunEnded)), "")
    if ended.code == ExitCode.DATA_REFUSED:
        return AttemptResult(AttemptVerdict.REFUSED, error or f"its data was refused; see {log}", run=run)
    if ended.code not in (ExitCode.PUSHED, ExitCode.GATE_REFUSED) or record is None:
        return AttemptResult(AttemptVerdict.FAILED, error or f"ended with status {ended.code}; see {log}", run=run)
    line, verdict = line_of(config, record), verdict_of(record)
    found = {name: verdict.metrics[name] for name in SHOWN if name in verdict.metrics} if verdict else {}
    if ended.code == ExitCode.GATE_REFUSED:
        problems = problems_of(record, verdict)
        return AttemptResult(
            AttemptVerdict.REFUSED, "; ".join(problems[:MOST_REASONS]) or line.why or error, found, run
        )
    if line.result == "unchanged":
        return AttemptResult(AttemptVerdict.UNCHANGED, f"version {line.version} is already served", found, run)
    accuracy = f", accuracy {line.accuracy:.4f}" if line.accuracy is not None else ""
    before = ""
    if verdict and verdict.baseline_accuracy is not None:
        before = f"; version {verdict.baseline_version} had {verdict.baseline_accuracy:.4f} on the same images"
    return AttemptResult(AttemptVerdict.PUSHED, f"version {line.version}{accuracy}{before}", found, run)


def is_retried(verdict: AttemptVerdict, ended: Ended) -> bool:
    """Whether a retry may end differently; a wrong setting stays wrong."""
    return verdict in BROKEN and ended.code != ExitCode.USAGE
