"""The closing summary of a run: data, tuner, verdict, and where the pushed model lies."""

import json
from dataclasses import dataclass
from pathlib import Path

import tensorflow_model_analysis as tfma
from rich.console import Console
from rich.markup import escape

from components.ingest_report import QUARANTINE_FILE, read_quarantine, read_summary
from pipeline.config import PipelineConfig
from pipeline.eval_config import BASELINE, CANDIDATE, GATED_METRIC_NAME
from pipeline.exit_codes import ExitCode
from pipeline.run_record import StepRecord, latest_run

QUARANTINE_LINES = 5


@dataclass(frozen=True)
class Verdict:
    """What the gate said of the candidate."""

    blessed: bool
    accuracy: float
    baseline_accuracy: float | None
    failures: list[str]


def print_summary(console: Console, config: PipelineConfig, log_path: Path) -> ExitCode:
    """Prints the newest run's summary and returns how it ended."""
    steps = latest_run(config.run_root / "metadata.sqlite")
    undone = [name for name, step in steps.items() if not step.done]
    console.print()
    if "ImageExampleGen" in steps and steps["ImageExampleGen"].done:
        _print_data(console, steps["ImageExampleGen"].outputs["report"].uri)
    if "Tuner" in steps and steps["Tuner"].done:
        _print_tuner(console, Path(steps["Tuner"].outputs["best_hyperparameters"].uri))
    if undone or "Pusher" not in steps:
        _print_line(console, "result", f"[red]failed[/] in {', '.join(undone) or 'an early step'}; see {log_path}")
        return ExitCode.FAILED

    verdict = read_verdict(steps["GatedEvaluator"])
    against = "nothing served before"
    if verdict.baseline_accuracy is not None:
        against = f"served model {verdict.baseline_accuracy:.4f}"
    _print_line(console, "eval accuracy", f"{verdict.accuracy:.4f} (floor {config.evaluate.min_accuracy:g}; {against})")
    if not verdict.blessed:
        _print_line(console, "verdict", f"[red]not blessed[/]: {escape('; '.join(verdict.failures))}")
        _print_line(console, "result", "nothing pushed; what was served stays")
        return ExitCode.GATE_REFUSED
    _print_line(console, "verdict", "[green]blessed[/]")
    pushed = steps["Pusher"].outputs["pushed_model"].custom_properties
    again = " (unchanged, pushed by an earlier run)" if steps["Pusher"].cached else ""
    _print_line(console, "pushed", escape(pushed["pushed_destination"].string_value) + again)
    _print_line(console, "try it", "effnet predict IMAGE...")
    return ExitCode.PUSHED


def read_verdict(evaluator: StepRecord) -> Verdict:
    """The gate's decision, from the Evaluator's artifacts."""
    blessing, evaluation = evaluator.outputs["blessing"], evaluator.outputs["evaluation"]
    result = tfma.load_validation_result(evaluation.uri)
    failures = [
        f"{failure.metric_key.name} {failure.message or 'is beyond its threshold'}"
        for slice_result in result.metric_validations_per_slice
        for failure in slice_result.failures
    ]
    accuracies = _overall_accuracies(evaluation.uri)
    return Verdict(
        blessed=blessing.custom_properties["blessed"].int_value == 1,
        # TFMA drops the name of the candidate where it was evaluated alone.
        accuracy=accuracies[CANDIDATE] if CANDIDATE in accuracies else accuracies[""],
        baseline_accuracy=accuracies.get(BASELINE),
        failures=failures,
    )


def _overall_accuracies(evaluation_uri: str) -> dict[str, float]:
    """Accuracy over all eval images, by the name of the model."""
    accuracies = {}
    for model_name in (CANDIDATE, BASELINE, ""):
        for slice_key, metrics in tfma.load_eval_result(evaluation_uri, model_name=model_name).slicing_metrics:
            if not slice_key and GATED_METRIC_NAME in metrics[""][""]:
                accuracies[model_name] = metrics[""][""][GATED_METRIC_NAME]["doubleValue"]
    return accuracies


def _print_data(console: Console, report: str) -> None:
    summary, quarantined = read_summary(report), read_quarantine(report)
    splits = ", ".join(f"{split} {sum(classes.values())}" for split, classes in summary.written.items())
    classes = len(next(iter(summary.written.values())))
    _print_line(console, "images", f"{summary.examples} of {summary.found} files in {classes} classes: {splits}")
    for entry in quarantined[:QUARANTINE_LINES]:
        _print_line(console, "left out", escape(f"{entry['path']}: {entry['message']}"))
    if len(quarantined) > QUARANTINE_LINES:
        rest = len(quarantined) - QUARANTINE_LINES
        _print_line(console, "left out", escape(f"and {rest} more, see {report}/{QUARANTINE_FILE}"))
    for warning in summary.warnings:
        _print_line(console, "warning", escape(warning))


def _print_tuner(console: Console, best: Path) -> None:
    values = json.loads((best / "best_hyperparameters.txt").read_text(encoding="utf-8"))["values"]
    chosen = ", ".join(f"{name} {value:.3f}" for name, value in values.items() if name.endswith("_rate"))
    _print_line(console, "tuner", chosen)


def _print_line(console: Console, label: str, text: str) -> None:
    console.print(f"[bold]{label:<14}[/]{text}", soft_wrap=True)
