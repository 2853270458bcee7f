"""The closing summary of a run: data, tuner, verdict, and the path of the pushed model."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from components.common.ingest_report import QUARANTINE_FILE, read_quarantine, read_summary
from components.common.metrics import ACCURACY, EXAMPLES, in_order
from components.common.push_properties import ALREADY_SERVED
from components.gated_evaluator.verdict import GateVerdict, read_verdict
from components.model_exporter.report import read_report as read_exports
from components.serving_check.report import ServingReport, engine_verdict, read_report
from pipeline.config.model import PipelineConfig
from pipeline.config.plain_path import real_path
from pipeline.exit_codes import ExitCode
from pipeline.history.metadata import run_of_id
from pipeline.history.report import find_report
from pipeline.terminal import print_line

QUARANTINE_LINES = 5
WEAKEST_CLASSES, CONFUSED = 3, 3
ELSEWHERE = (ACCURACY, EXAMPLES)  # metrics on lines of their own


def print_summary(console: Console, config: PipelineConfig, run_id: str, log_path: Path) -> ExitCode:
    """Prints a run's summary and returns how it ended."""
    run = run_of_id(config.metadata_path, run_id)
    console.print()
    if ingested := run.output("ImageExampleGen", "report"):
        _print_data(console, ingested)
    if tuned := run.output("Tuner", "tuner_results"):
        _print_tuner(console, Path(tuned))
    if run.undone or "Pusher" not in run.steps:
        where = ", ".join(run.undone) or "an early step"
        print_line(console, "result", ("failed", "red"), f" in {where}; see {log_path}")
        return ExitCode.FAILED

    verdict = read_verdict(run.output("GatedEvaluator", "evaluation"))
    _print_verdict(console, verdict, config.evaluate.min_accuracy)
    report = read_report(run.output("ServingCheck", "blessing"))
    _print_serving(console, report)
    if path := find_report(config, run):
        print_line(console, "report", real_path(str(path)))
    if not verdict.blessed or not report.blessed:
        print_line(console, "result", ("not blessed", "red"), ": nothing pushed; the served model stays")
        return ExitCode.GATE_REFUSED
    pusher = run.steps["Pusher"]
    pushed = pusher.outputs["pushed_model"].custom_properties
    if not pushed["pushed"].int_value:
        print_line(console, "result", ("not pushed", "red"), f": {pushed['refusal'].string_value}")
        return ExitCode.GATE_REFUSED
    unchanged = pusher.cached or pushed[ALREADY_SERVED].int_value
    again = " (unchanged, pushed by an earlier run)" if unchanged else ""
    print_line(console, "result", ("blessed", "green"), f" and pushed{again}")
    print_line(console, "served", real_path(pushed["pushed_destination"].string_value))
    if exports := run.output("ModelExporter", "exports"):
        _print_exports(console, exports)
    print_line(console, "try it", "effnet predict IMAGE...")
    return ExitCode.PUSHED


def _print_verdict(console: Console, verdict: GateVerdict, floor: float) -> None:
    against = ""
    if verdict.baseline_accuracy is not None:
        against = f"; served version {verdict.baseline_version} {verdict.baseline_accuracy:.4f}"
    within = ""
    if verdict.accuracy_interval:
        within = "95 % confidence {:.4f} to {:.4f}; ".format(*verdict.accuracy_interval)
    print_line(console, "eval accuracy", f"{verdict.accuracy:.4f} ({within}floor {floor:g}{against})")
    shown = [(metric, value) for metric, value in in_order(verdict.metrics) if metric.name not in ELSEWHERE]
    print_line(console, "", ", ".join(f"{metric.label} {metric.text(value)}" for metric, value in shown))
    weakest = sorted(verdict.recall.items(), key=lambda item: item[1])[:WEAKEST_CLASSES]
    print_line(console, "weakest", ", ".join(f"{name} {recall:.3f}" for name, recall in weakest))
    if len({kind.value for kind in verdict.slices}) > len({kind.feature for kind in verdict.slices}):
        kinds = ", ".join(f"{kind.value} {kind.accuracy:.3f} ({kind.examples})" for kind in verdict.slices)
        print_line(console, "by kind", kinds)
    if verdict.confused:
        pairs = ", ".join(f"{actual} as {taken} {images}x" for actual, taken, images in verdict.confused[:CONFUSED])
        print_line(console, "confused", pairs)
    for note in verdict.notes:
        print_line(console, "note", note)
    for problem in verdict.problems:
        print_line(console, "refused", (problem, "red"))


def _latency(milliseconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.1f} ms" for name, value in milliseconds.items())


def _print_serving(console: Console, report: ServingReport) -> None:
    if measured := report.measured:
        latency = _latency(measured.latency_ms)
        print_line(console, "serving", f"{latency}; {measured.size_mb:.1f} MB, in memory {measured.memory_mb:.0f} MB")
        if measured.difference is not None:
            print_line(console, "", f"differs from the trainer's answers by at most {measured.difference:.1g}")
    if report.engine:
        parts = (engine_verdict(report.engine), _latency(report.engine.latency_ms))
        print_line(console, "engine", "; ".join(filter(None, parts)))
    for problem in report.problems:
        print_line(console, "refused", (problem, "red"))


def _print_exports(console: Console, uri: str) -> None:
    for export in read_exports(uri):
        agreement = export.agreement
        print_line(
            console,
            "export",
            f"{export.format}: {export.size_mb:.1f} MB, {export.size_ratio:.2f} of the SavedModel; the same class on "
            f"{agreement.same_class} of {agreement.images} eval images, accuracy {agreement.accuracy:.4f} "
            f"(SavedModel {agreement.model_accuracy:.4f}), probabilities differ by at most {agreement.difference:.1g}",
        )
        if export.problem:
            print_line(console, "", ("not kept", "red"), f": {export.problem}")
        else:
            print_line(console, "", f"{uri}/{export.file}")


def _print_data(console: Console, report: str) -> None:
    summary, quarantined = read_summary(report), read_quarantine(report)
    splits = ", ".join(f"{split} {sum(classes.values())}" for split, classes in summary.written.items())
    classes = len(next(iter(summary.written.values())))
    print_line(console, "images", f"{summary.examples} of {summary.found} files in {classes} classes: {splits}")
    for entry in quarantined[:QUARANTINE_LINES]:
        print_line(console, "left out", f"{entry['path']}: {entry['message']}")
    if len(quarantined) > QUARANTINE_LINES:
        rest = len(quarantined) - QUARANTINE_LINES
        print_line(console, "left out", f"and {rest} more, see {report}/{QUARANTINE_FILE}")
    for warning in summary.warnings:
        print_line(console, "warning", warning)


def _print_tuner(console: Console, results: Path) -> None:
    search = json.loads((results / "search.json").read_text(encoding="utf-8"))
    chosen = ", ".join(f"{name} {value:.4g}" for name, value in search["values"].items()) or "published values"
    if search["searched"]:
        chosen += f"; {search['score_name']} {search['score']:.4f}"
        if search["default"] is not None:
            chosen += f", {search['default']:.4f} with the default values"
            if search["default_epochs"] != search["epochs"]:
                chosen += f" (which had {search['default_epochs']} epochs, the winner {search['epochs']})"
        chosen += f"; {search['finished']} of {search['trials']} trials finished, see {results}"
    elif search["searched_at"]:
        chosen += f"; from the search of {search['searched_at']}"
    print_line(console, "tuner", chosen)
