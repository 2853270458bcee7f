"""`effnet scale study` and `compare` on this machine: trainings one after the other, then page, CSV and figures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from components.common.human_format import counted
from pipeline.config.model import PipelineConfig
from pipeline.scale.experiment import SAME, Effort, Question, compare_question, study_question
from pipeline.scale.report import missing_trainings, trainings_done, write_results
from pipeline.scale.results import NothingTrained, Row, guessing, latency_told, rows_of
from pipeline.scale.runner import ScaleRun, announce, read_plan, write_plan
from pipeline.terminal import compact_table, print_line, print_table
from trainer.scaling import BASE_RESOLUTION


def study(
    config: PipelineConfig, effort: Effort, levels: Sequence[float], console: Console, forecast_only: bool
) -> Path | None:
    """Trains the base and what each way of scaling makes of it at each level; returns the page.

    Raises:
      ConfigError: a level cannot be reached.
    """
    # A level out of reach is refused before the images are read; only they tell how wide the classifier is.
    study_question(config, effort, levels, len(config.data.classes) or None)
    run = ScaleRun(config, effort, console)
    classes = run.class_count(config.model.image_size or BASE_RESOLUTION)
    return _answer(run, study_question(config, effort, levels, classes), forecast_only)


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
    question = compare_question(config, effort, variants, backbones)
    return _answer(ScaleRun(config, effort, console), question, forecast_only)


def _answer(run: ScaleRun, question: Question, forecast_only: bool) -> Path | None:
    """Images, forecast, trainings, results."""
    effort, console = run.effort, run.console
    run.make_images([entrant.side for entrant in question.entrants])
    contenders = [run.contender(entrant) for entrant in question.entrants]
    keys = [contender.job.key() for contender in contenders]
    folder = run.folder(question.command, hashlib.sha256(json.dumps([keys, effort.seeds]).encode()).hexdigest())
    plan = read_plan(folder)
    timings = run.timings(plan, contenders)

    from trainer.compound.study import study_networks, trainings_left

    left, pace = trainings_left(contenders, run.seeds, timings, str(run.trainings))
    total = len(contenders) * len(run.seeds)
    if len(left) < total:
        console.print(f"{total - len(left)} of {total} trainings were done by an earlier run", highlight=False)
    what = f"{counted(effort.seeds, 'seed')}, {counted(effort.epochs, 'epoch')}"
    announce(console, f"{counted(len(contenders), 'network')}, {what}", pace, effort.minutes)
    if forecast_only:
        return None
    write_plan(folder, {**plan, "timings": [asdict(timing) for timing in timings]})
    run.train(study_networks, contenders, run.seeds, timings, str(run.trainings), effort.deadline)
    rows = rows_of(contenders, run.seeds, effort.epochs, run.trainings)
    if not rows:
        raise NothingTrained
    print_rows(console, rows)
    page = write_results(folder, question, rows)
    print_line(console, "trainings", trainings_done(question, rows))
    if missing := missing_trainings(question, rows):
        print_line(console, "missing", "; ".join(missing))
    if guess := guessing(rows):
        print_line(console, "guessing", guess)
    print_line(console, "page", str(page))
    return page


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """The table, and how what is in it was measured."""
    table = compact_table("network", "accuracy", "+-", "loss", "side", "M MACs", "M params", "ms", "seeds")
    for row in rows:
        first = row.outcomes[0]
        table.add_row(
            row.contender.name.replace(SAME, f"\n{SAME.lstrip()}"),
            f"{row.accuracy:.4f}",
            "" if row.accuracy_spread is None else f"{row.accuracy_spread:.4f}",
            f"{row.loss:.4f}",
            f"{row.contender.details['side']:g}",
            f"{first.macs / 1e6:.1f}",
            f"{first.parameters / 1e6:.2f}",
            "" if row.latency_ms is None else f"{row.latency_ms:.1f}",
            str(len(row.outcomes)),
        )
    print_table(table, console)
    print_line(console, "ms", latency_told(rows))
