"""Results of runs: a line each for `effnet runs`, and two side by side for `effnet compare`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import yaml

from components.common import files
from components.common.errors import one_line
from components.common.ingest_report import IngestSummary, read_summary
from components.common.json_types import Json
from components.common.metrics import CHANGE, EXAMPLES, metric_of
from components.common.push_properties import ALREADY_SERVED, PUSHED, VERSION
from components.gated_evaluator.verdict import GateVerdict, read_verdict
from components.run_report.sources import CONFIGURATION_FILE
from components.serving_check.report import ServingReport, read_report
from pipeline.config.model import PipelineConfig
from pipeline.history.metadata import RunRecord, all_runs
from pipeline.history.report import find_report
from pipeline.run_lock import is_running

Record = TypeVar("Record")


@dataclass(frozen=True)
class RunLine:
    """A run in short.

    Attributes:
      run: its number.
      started: local time.
      seconds: it took.
      result: pushed, unchanged (the model is already served), refused, not pushed, stopped or running.
      why: the first reason of a result other than pushed.
      images: examples of all splits; None if none were read.
      accuracy: on the eval split; None if it was not evaluated.
      version: that it pushed; "" if none.
      report: path of its report; "" if it has none.
    """

    run: int
    started: str
    seconds: int
    result: str
    why: str
    images: int | None
    accuracy: float | None
    version: str
    report: str


def list_runs(config: PipelineConfig, last: int | None = None) -> list[RunLine]:
    """The `last` runs, or all, in short, the oldest first; the newest one may still be running."""
    lines = [line_of(config, run) for run in all_runs(config.metadata_path, last)]
    if lines and lines[-1].result == "stopped" and is_running(config.run_root):
        lines[-1] = replace(lines[-1], result="running")
    return lines


def line_of(config: PipelineConfig, run: RunRecord) -> RunLine:
    """The run in short."""
    verdict, summary, serving = (_read(run, *record) for record in (VERDICT, SUMMARY, SERVING))
    damaged = [record.problem for record in (verdict, summary, serving) if isinstance(record, Damaged)]
    verdict = verdict if isinstance(verdict, GateVerdict) else None
    summary = summary if isinstance(summary, IngestSummary) else None
    result, why, version = _result(run, verdict)
    why = "; ".join(filter(None, (why, *damaged)))
    report = find_report(config, run)
    return RunLine(
        run=run.number,
        started=run.started.isoformat(sep=" ", timespec="seconds"),
        seconds=round(run.seconds),
        result=result,
        why=why,
        images=summary.examples if summary else None,
        accuracy=verdict.accuracy if verdict else None,
        version=version,
        report=str(report or ""),
    )


def verdict_of(run: RunRecord) -> GateVerdict | None:
    """The gate's verdict, or None if the run did not get that far or it was deleted."""
    found = _read(run, *VERDICT)
    return found if isinstance(found, GateVerdict) else None


def summary_of(run: RunRecord) -> IngestSummary | None:
    """What the run's ingest did, or None."""
    found = _read(run, *SUMMARY)
    return found if isinstance(found, IngestSummary) else None


def problems_of(run: RunRecord, verdict: GateVerdict | None) -> list[str]:
    """Why the gate, and then the check of serving, refused the run's model."""
    serving = _read(run, *SERVING)
    return [*(verdict.problems if verdict else ()), *(serving.problems if isinstance(serving, ServingReport) else ())]


@dataclass(frozen=True)
class Damaged:
    """A record that cannot be read, as one that a power cut left empty: `problem` says which, and why."""

    problem: str


def _read(run: RunRecord, step: str, output: str, read: Callable[[str], Record]) -> Record | Damaged | None:
    """What a step noted; None if the run never came to it, or it was deleted."""
    uri = run.output(step, output)
    if not uri or not Path(uri).exists():
        return None
    try:
        return read(uri)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        return Damaged(f"the {output} of {step} is damaged ({one_line(error)})")


def _result(run: RunRecord, verdict: GateVerdict | None) -> tuple[str, str, str]:
    """Result, reason and version."""
    if "Pusher" not in run.steps or not run.steps["Pusher"].done:
        return "stopped", f"in {', '.join(run.undone) or 'an early step'}", ""
    pushed = run.steps["Pusher"].outputs["pushed_model"].custom_properties
    version = pushed[VERSION].string_value if pushed[PUSHED].int_value else ""
    if version:
        unchanged = run.steps["Pusher"].cached or pushed[ALREADY_SERVED].int_value
        return ("unchanged" if unchanged else "pushed"), "", version
    problems = problems_of(run, verdict)
    refusal = pushed["refusal"].string_value
    return ("refused" if problems else "not pushed"), (problems or [refusal])[0], ""


VERDICT = ("GatedEvaluator", "evaluation", read_verdict)
SUMMARY = ("ImageExampleGen", "report", read_summary)
SERVING = ("ServingCheck", "blessing", read_report)


@dataclass(frozen=True)
class Difference:
    """A value that two runs do not share; None where a run has none."""

    name: str
    one: object
    other: object


def compare(config: PipelineConfig, one: RunRecord, other: RunRecord) -> list[Difference]:
    """What differs between two runs: results, metrics, recall, images, configuration, in this order."""
    values = [dict(_values(config, run)) for run in (one, other)]
    names = list(dict.fromkeys(name for found in values for name in found))
    pairs = [Difference(name, *(found.get(name) for found in values)) for name in names]
    return [pair for pair in pairs if pair.one != pair.other]


def _values(config: PipelineConfig, run: RunRecord) -> Iterator[tuple[str, object]]:
    line = line_of(config, run)
    yield "result", f"{line.result} {line.version or line.why}"
    if verdict := verdict_of(run):
        for name, value in verdict.metrics.items():
            if not name.endswith(CHANGE):
                yield metric_of(name).label, int(value) if name == EXAMPLES else value
        yield from ((f"recall of {name}", value) for name, value in verdict.recall.items())
    if summary := summary_of(run):
        for split, classes in summary.written.items():
            yield f"images in {split}", sum(classes.values())
        yield "images' fingerprint", summary.fingerprint[:12]
    yield from flatten(configuration_of(config, run))


def configuration_of(config: PipelineConfig, run: RunRecord) -> dict[str, Json]:
    """What the run was configured with; empty if it left no report, or that is damaged."""
    report = find_report(config, run)
    path = report.with_name(CONFIGURATION_FILE) if report else None
    try:
        values = yaml.safe_load(files.read_bytes(str(path))) if path and path.exists() else {}
    except (yaml.YAMLError, OSError, ValueError, RecursionError):
        values = {}
    return values if isinstance(values, dict) else {}


def flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yields ("section.key", value) of nested sections."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
