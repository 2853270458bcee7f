"""The report's parts on the model: how it came about, how good it is, what it costs."""

import base64
import csv
import io
import json
from collections.abc import Sequence

from components.common import files
from components.common.calibration_error import calibration_error
from components.common.json_types import Parsed
from components.common.metrics import in_order
from components.common.model_info import ModelInfo, read_model_info
from components.gated_evaluator.results import BASELINE, CANDIDATE, read_confusions, read_evaluation
from components.gated_evaluator.results import Evaluation as Measured
from components.gated_evaluator.verdict import GateVerdict
from components.run_report import plots
from components.run_report.analysis import (
    Answers,
    calibration_bins,
    confusion_matrix,
    coverage_and_precision,
    known_share,
    without_temperature,
)
from components.run_report.content import (
    ClassRow,
    Comparison,
    EvaluationSection,
    Facts,
    MetricRow,
    Picture,
    ServingSection,
    TrainingSection,
    TuningSection,
)
from components.serving_check.report import ServingReport, engine_verdict

HISTORY_FILE, PACE_FILE = "history.csv", "pace.csv"
TRIALS_FILE, SEARCH_FILE = "trials.csv", "search.json"
TOLD_APART = ("classes",)  # of the model's note
NO_SETTINGS = (*TOLD_APART, "val_accuracy", "trained_on")
MEASURED = "known."  # keys of what the trainer found out about the model's calibration
MOST_CHANGED_CLASSES = 10
MOST_SHOWN_CLASSES = 200  # in a confusion matrix


def read_baseline(evaluation: str, verdict: GateVerdict) -> Measured | None:
    """Returns what was measured of the served model; None if there was none."""
    return read_evaluation(evaluation, BASELINE) if verdict.baseline_version else None


def compare(
    verdict: GateVerdict,
    baseline: Measured | None,
    limits: dict[str, str],
    info: ModelInfo,
    served_info: ModelInfo,
) -> Comparison:
    """Returns the model beside the served one; with no served model, beside the limits alone."""
    served = baseline.metrics if baseline else {}
    metrics = [
        MetricRow(metric, value, served.get(metric.name) if metric.better else None, limits.get(metric.name, ""))
        for metric, value in in_order(verdict.metrics)
    ]
    keys = [key for key in {**served_info, **info} if key not in NO_SETTINGS and not key.startswith(MEASURED)]
    changes = [(key, _plain(served_info.get(key)), _plain(info.get(key))) for key in keys]
    classes = []
    if baseline:
        shared = [name for name in verdict.recall if name in baseline.classes]
        classes = [(name, baseline.classes[name].recall, verdict.recall[name]) for name in shared]
        classes.sort(key=lambda row: -abs(row[2] - row[1]))
    return Comparison(
        version=verdict.baseline_version,
        metrics=metrics,
        settings=[change for change in changes if change[1] != change[2]] if served_info else [],
        classes=[row for row in classes if row[1] != row[2]][:MOST_CHANGED_CLASSES],
    )


def gather_training(model_run: str, info: ModelInfo) -> TrainingSection:
    """Returns how the training went, from the trainer's note and the logs of its epochs."""
    facts = [(key.replace("_", " "), _plain(value)) for key, value in info.items() if key not in TOLD_APART]
    history, pace = (_columns(files.join(model_run, name)) for name in (HISTORY_FILE, PACE_FILE))
    figures = [
        plots.curves(title, columns["epoch"], {label: columns[name] for name, label in lines.items()})
        for columns, title, lines in (
            (history, "Loss", {"loss": "train", "val_loss": "val"}),
            (history, "Accuracy", {"accuracy": "train", "val_accuracy": "val"}),
            (pace, "Learning rate at the end of the epoch", {"learning_rate": "learning rate"}),
            (pace, "Images/s while training", {"images_per_second": "images/s"}),
        )
        if lines.keys() <= columns.keys()
    ]
    return TrainingSection(facts, figures)


def gather_tuning(tuner_results: str) -> TuningSection:
    """Returns what was searched and found."""
    search = json.loads(files.read_bytes(files.join(tuner_results, SEARCH_FILE)))
    values = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in search["values"].items())
    facts = [("chosen", values or "the published values")]
    if search["searched"]:
        facts.append((search["score_name"].replace("_", " "), f"{search['score']:.4f}"))
        if search["default"] is not None:
            facts.append(("with the default values", f"{search['default']:.4f}"))
        facts.append(("trials", f"{search['finished']} of {search['trials']} finished"))
    elif search["searched_at"]:
        facts.append(("taken over from the search of", search["searched_at"]))
    path = files.join(tuner_results, TRIALS_FILE)
    rows = list(csv.reader(io.StringIO(files.read_bytes(path).decode()))) if files.exists(path) else [[]]
    names = [name for name in files.walk(tuner_results) if name.endswith(".svg")]
    figures = [Picture(_svg_uri(files.read_bytes(files.join(tuner_results, name))), name) for name in names]
    return TuningSection(facts, rows[0], [[_short(cell) for cell in row] for row in rows[1:]], figures)


def gather_evaluation(
    uri: str,
    verdict: GateVerdict,
    baseline: Measured | None,
    info: dict[str, Parsed],
    names: Sequence[str],
    answers: Answers | None,
) -> EvaluationSection:
    """Returns how the model answered the eval images: counts from TFMA, the rest from `answers`."""
    measured = read_evaluation(uri, CANDIDATE)
    classes = measured.classes if measured else {}
    matrix = confusion_matrix(read_confusions(uri, CANDIDATE), len(names))
    taken_for = matrix.sum(axis=0)
    rows = [
        ClassRow(
            name=name,
            images=classes[name].examples,
            recall=classes[name].recall,
            precision=float(matrix[label, label] / taken_for[label]) if taken_for[label] else None,
            served_recall=baseline.classes[name].recall if baseline and name in baseline.classes else None,
        )
        for label, name in enumerate(names)
        if name in classes
    ]
    figures = [plots.confusion("Confusion matrix", matrix, names)] if 0 < len(names) <= MOST_SHOWN_CLASSES else []
    if answers:
        figures.append(plots.calibration("Calibration", calibration_bins(answers)))
        sure, right = answers.confidence, answers.right
        figures.append(plots.confidences("How sure the model is", sure[right], sure[~right]))
        if calibrated(info):
            at_threshold = known_share(answers, info["known.threshold"])
            figures.append(plots.coverage("Known answers", *coverage_and_precision(answers), at_threshold))
    return EvaluationSection(
        classes=sorted(rows, key=lambda row: row.recall),
        confused=verdict.confused,
        figures=figures,
        slices=verdict.slices,
        looked_at=(len(answers.labels) if answers else 0, int(matrix.sum())),
        known=known_facts(info, answers) if answers and calibrated(info) else [],
    )


def calibrated(info: dict[str, Parsed]) -> bool:
    """Tells whether a model says what it knows (serving.known_precision)."""
    return "known.threshold" in info


def known_facts(info: dict[str, Parsed], answers: Answers) -> Facts:
    """Returns what of the eval images the model knows, beside the val images that it was set by."""
    before = calibration_error(without_temperature(answers, info["known.temperature"]), answers.labels)
    after = calibration_error(answers.probabilities, answers.labels)
    val = info["known.coverage"], info["known.precision"]
    return [
        ("right among the known, asked for", _plain(info["known_precision"])),
        ("least probability of a known answer", f"{info['known.threshold']:.4f}"),
        ("known of the val images", _coverage(*val)),
        ("known of the eval images", _coverage(*known_share(answers, info["known.threshold"]))),
        ("temperature", f"{info['known.temperature']:.3f}"),
        ("calibration error on the val images", f"{info['known.error_before']:.4f} -> {info['known.error_after']:.4f}"),
        ("calibration error on the eval images", f"{before:.4f} -> {after:.4f}"),
    ]


def _coverage(share: float, precision: float | None) -> str:
    return f"{share:.1%}" + ("" if precision is None else f", {precision:.2%} of them right")


def gather_serving(report: ServingReport) -> ServingSection:
    """Returns what the exported model costs, and why it may not be served."""
    facts: Facts = []
    if measured := report.measured:
        for name, milliseconds in measured.latency_ms.items():
            percentile, _, size = name.split("_")
            label = {"p50": "median", "p99": "99th percentile"}[percentile]
            facts.append((f"{label}, {size} image{'s' * (size != '1')} a request", f"{milliseconds:.1f} ms"))
        facts += [("SavedModel", f"{measured.size_mb:.1f} MB"), ("memory", f"{measured.memory_mb:.0f} MB")]
        if measured.difference is not None:
            facts.append(("largest difference from the trainer's answers", f"{measured.difference:.1g}"))
        for kind, levels in measured.photos.items():
            difference = levels if isinstance(levels, str) else f"{levels:.1f} levels of 255 from what the ingest sees"
            facts.append((kind, difference))
    if engine := report.engine:
        facts.append(("engine", engine_verdict(engine)))
        facts += [
            (f"{engine.engine}, {name.replace('_', ' ')}", f"{ms:.1f} ms") for name, ms in engine.latency_ms.items()
        ]
    return ServingSection(facts, report.problems)


def read_info(saved_model: str) -> ModelInfo:
    """Returns the trainer's note of a model; an empty one if there is no model."""
    return read_model_info(saved_model) if saved_model else {}


def _columns(path: str) -> dict[str, list[float]]:
    """Returns a CSV's columns of numbers by name, epochs counted from 1; nothing if there is no file."""
    if not files.exists(path):
        return {}
    rows = list(csv.DictReader(io.StringIO(files.read_bytes(path).decode())))
    columns = {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    return {name: [value + 1 for value in values] if name == "epoch" else values for name, values in columns.items()}


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def _short(cell: str) -> str:
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return cell


def _svg_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
