"""From the artifacts of a run to its report. What the run never came to is left out."""

import importlib.metadata
import platform
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from components.common import files
from components.common.human_format import in_zone
from components.common.ingest_report import read_classes, read_summary
from components.common.metrics import EXAMPLES
from components.common.model_info import ModelInfo
from components.gated_evaluator.verdict import GateVerdict, read_verdict
from components.run_report.analysis import Answers, worst_mistakes
from components.run_report.collect_data import gather_data
from components.run_report.collect_model import (
    compare,
    gather_evaluation,
    gather_serving,
    gather_training,
    gather_tuning,
    read_baseline,
    read_info,
)
from components.run_report.content import LineageSection, Mistake, Report, RunOutcome
from components.run_report.images import as_seen, overlay
from components.run_report.schedule import read_schedule
from components.run_report.sources import CONFIGURATION_FILE, Push, ReportSettings, Sources
from components.serving_check.report import ServingReport, read_report

MOST_MISTAKES = 24
MOST_SAMPLES_READ = 500
STACK = ("tfx", "tensorflow", "keras", "keras-tuner", "apache-beam", "tensorflow-transform", "numpy")


class HeatMaps(Protocol):
    """What an `Explain` answers: pixels uint8 (images, size, size, 3), heat float (images, size, size), 0 to 1."""

    pixels: NDArray[np.uint8]
    heat: NDArray[np.float32]


@dataclass(frozen=True)
class Models:
    """The SavedModels of a run as local folders; "" for one that there is not."""

    candidate: str = ""
    served: str = ""


Explain = Callable[[str, Sequence[bytes], Sequence[int]], HeatMaps]


class ExplainableSplit(Protocol):
    """The examples of a split, and how to ask a model about them; `predictions` has the real one."""

    def ask(self, saved_model: str, most: int) -> Answers | None:
        """Returns a model's answers to the first examples."""

    def read_images(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Returns the encoded images with these numbers."""

    def read_samples(self, most: int) -> Iterator[tuple[str, str, bytes]]:
        """Yields class, path and encoded image of the first examples."""


def gather(
    sources: Sources,
    models: Models,
    push: Push,
    settings: ReportSettings,
    open_split: Callable[[str], ExplainableSplit],
    explain: Explain | None,
    destination: str,
) -> Report:
    """Reads everything and asks the model about the eval images once more.

    Args:
        sources: the artifacts.
        models: the SavedModels among them, as local folders.
        push: what Pusher did.
        settings: of the run.
        open_split: gives a split of `sources.examples` by its name.
        explain: where a model looks; None leaves the heat maps out.
        destination: where the report will lie.
    """
    verdict = read_verdict(sources.evaluation) if sources.evaluation else None
    serving = read_report(sources.serving_check) if sources.serving_check else None
    info, served_info = read_info(models.candidate), read_info(models.served)
    baseline = read_baseline(sources.evaluation, verdict) if verdict else None
    answers = None
    if verdict and models.candidate and sources.examples:
        answers = open_split("eval").ask(models.candidate, settings.most_images)
    names = info.get("classes") or (read_classes(sources.ingest_report) if sources.ingest_report else [])
    samples = open_split("train").read_samples(MOST_SAMPLES_READ) if sources.examples else iter(())
    return Report(
        name=settings.name,
        created=in_zone(datetime.now(UTC)),
        outcome=outcome_of(verdict, serving, push, sources.error),
        comparison=compare(verdict, baseline, settings.limits, info, served_info) if verdict else None,
        data=gather_data(sources, settings, models.served, samples),
        training=gather_training(sources.model_run, info) if sources.model_run else None,
        tuning=gather_tuning(sources.tuner_results) if sources.tuner_results else None,
        evaluation=gather_evaluation(sources.evaluation, verdict, baseline, dict(info), names, answers)
        if verdict
        else None,
        mistakes=_mistakes(models.candidate, open_split("eval"), answers, names, explain) if answers else [],
        serving=gather_serving(serving) if serving else None,
        schedule=read_schedule(settings.schedule),
        lineage=_lineage(sources, settings, info, destination),
    )


def outcome_of(verdict: GateVerdict | None, serving: ServingReport | None, push: Push, error: str) -> RunOutcome:
    """Says how a run ended, and why."""
    problems = [*(verdict.problems if verdict else []), *(serving.problems if serving else [])]
    notes = list(verdict.notes) if verdict else []
    if verdict and verdict.accuracy_interval:
        images, (low, high) = round(verdict.metrics[EXAMPLES]), verdict.accuracy_interval
        notes.insert(
            0,
            f"accuracy {verdict.accuracy:.4f} on {images:,} images that took no part in training: with 95 % confidence "
            f"between {low:.3f} and {high:.3f} on others like them",
        )
    if push.version:
        return RunOutcome(True, f"Pushed: version {push.version} is served", [f"served from {push.destination}"], notes)
    if push.refusal:
        return RunOutcome(False, "Not pushed: the model was withdrawn before", [push.refusal], notes)
    if problems:
        return RunOutcome(False, "Refused by the gate: what was served stays", problems, notes)
    return RunOutcome(False, "Stopped before its end", [error or "a step failed; the log says why"], notes)


def _mistakes(
    saved_model: str, split: ExplainableSplit, answers: Answers, names: Sequence[str], explain: Explain | None
) -> list[Mistake]:
    chosen = worst_mistakes(answers, MOST_MISTAKES)
    if not chosen or explain is None:
        return []
    images = split.read_images(chosen)
    labels = [int(answers.predicted[number]) for number in chosen]
    explained = explain(saved_model, [images[number] for number in chosen], labels)
    return [
        Mistake(
            path=answers.paths[number],
            actual=names[int(answers.labels[number])],
            predicted=names[label],
            confidence=float(answers.confidence[number]),
            seen=as_seen(pixels),
            heat=overlay(pixels, heat),
        )
        for number, label, pixels, heat in zip(chosen, labels, explained.pixels, explained.heat, strict=True)
    ]


def _lineage(sources: Sources, settings: ReportSettings, info: ModelInfo, destination: str) -> LineageSection:
    facts = []
    if sources.ingest_report:
        summary = read_summary(sources.ingest_report)
        facts += [("images", summary.root), ("their fingerprint (names, sizes, times)", summary.fingerprint)]
    facts += [(f"code of {name} (sha256)", digest) for name, digest in settings.code.items()]
    facts += [("seed", str(info["seed"]))] if "seed" in info else []
    facts.append(("Python", f"{platform.python_version()} on {platform.platform()}"))
    facts += [(package, importlib.metadata.version(package)) for package in STACK]
    artifacts = [(name.replace("_", " "), uri) for name, uri in vars(sources).items() if uri and name != "error"]
    configuration = files.join(destination, CONFIGURATION_FILE)
    commands = []
    if settings.configuration:
        again = f"effnet run --config {shlex.quote(configuration)}"
        commands.append((again, "the same run again: same images, code and packages, same model"))
    commands += [
        ("effnet predict IMAGE...", "what the served model says"),
        ("effnet models", "the pushed versions"),
        ("effnet rollback", "serves the version before"),
    ]
    return LineageSection(facts, artifacts, commands, settings.configuration)
