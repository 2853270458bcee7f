"""`effnet scale study` and `compare` on this machine: trainings one after the other, then page, CSV and figures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from components.common.human_format import counted
from pipeline.config.model import PipelineConfig
from pipeline.scale.design import compare_experiment, study_experiment
from pipeline.scale.experiment import SAME, Effort, Experiment
from pipeline.scale.report import missing_trainings, trainings_done, write_results
from pipeline.scale.results import NothingTrained, Row, guessing, latency_told
from pipeline.scale.runner import ScaleRun, announce, read_plan, rows_of, write_plan
from pipeline.terminal import compact_table, print_line, print_table
from trainer.scaling import BASE_RESOLUTION


def study(
    config: PipelineConfig, effort: Effort, levels: Sequence[float], console: Console, forecast_only: bool
) -> Path | None:
    """Trains the base and its scaled networks at each level; returns the page.

    Raises:
      ConfigError: a level cannot be reached.
    """
    # Refuses a level out of reach before the images are read, which determine the number of classes.
    study_experiment(config, effort, levels, len(config.data.classes) or None)
    run = ScaleRun(config, effort, console)
    classes = run.class_count(config.model.image_size or BASE_RESOLUTION)
    return _answer(run, study_experiment(config, effort, levels, classes), forecast_only)


def compare(
    config: PipelineConfig,
    effort: Effort,
    variants: Sequence[str],
    backbones: Sequence[str],
    console: Console,
    forecast_only: bool,
) -> Path | None:
    """Trains our variants and keras.applications' networks under one recipe; returns the page.

    Raises:
      ConfigError: a network is not known.
    """
    experiment = compare_experiment(config, effort, variants, backbones)
    return _answer(ScaleRun(config, effort, console), experiment, forecast_only)


def _answer(run: ScaleRun, experiment: Experiment, forecast_only: bool) -> Path | None:
    """Images, forecast, trainings, results."""
    effort, console = run.effort, run.console
    run.make_images([network.side for network in experiment.networks])
    candidates = [run.candidate(network) for network in experiment.networks]
    keys = [candidate.job.key() for candidate in candidates]
    folder = run.folder(experiment.command, hashlib.sha256(json.dumps([keys, effort.seeds]).encode()).hexdigest())
    plan = read_plan(folder)
    timings = run.timings(plan, candidates)

    from trainer.compound.study import study_networks, trainings_left

    left, pace = trainings_left(candidates, run.seeds, timings, str(run.trainings))
    total = len(candidates) * len(run.seeds)
    if len(left) < total:
        console.print(f"{total - len(left)} of {total} trainings are done by an earlier run")
    what = f"{counted(effort.seeds, 'seed')}, {counted(effort.epochs, 'epoch')}"
    announce(console, f"{counted(len(candidates), 'network')}, {what}", pace, effort.minutes)
    if forecast_only:
        return None
    write_plan(folder, {**plan, "timings": [asdict(timing) for timing in timings]})
    run.train(study_networks, candidates, run.seeds, timings, str(run.trainings), effort.deadline)
    rows = rows_of(candidates, run.seeds, effort.epochs, run.trainings)
    if not rows:
        raise NothingTrained
    print_rows(console, rows)
    page = write_results(folder, experiment, rows)
    print_line(console, "trainings", trainings_done(experiment, rows))
    if missing := missing_trainings(experiment, rows):
        print_line(console, "missing", "; ".join(missing))
    if guess := guessing(rows):
        print_line(console, "guessing", guess)
    print_line(console, "page", str(page))
    return page


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Prints the table, and how the latencies were measured."""
    table = compact_table("network", "accuracy", "+-", "loss", "side", "M MACs", "M params", "ms", "seeds")
    for row in rows:
        first = row.outcomes[0]
        table.add_row(
            row.candidate.name.replace(SAME, f"\n{SAME.lstrip()}"),
            f"{row.accuracy:.4f}",
            "" if row.accuracy_spread is None else f"{row.accuracy_spread:.4f}",
            f"{row.loss:.4f}",
            f"{row.candidate.details['side']:g}",
            f"{first.macs / 1e6:.1f}",
            f"{first.parameters / 1e6:.2f}",
            "" if row.latency_ms is None else f"{row.latency_ms:.1f}",
            str(len(row.outcomes)),
        )
    print_table(table, console)
    print_line(console, "ms", latency_told(rows))
