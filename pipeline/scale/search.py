"""`effnet scale search`: which alpha, beta and gamma suit the images."""

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console

from components.common import files
from components.common.human_format import clock, counted
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.scale.design import check_fair
from pipeline.scale.experiment import Effort, Network
from pipeline.scale.results import (
    NothingTrained,
    Row,
    csv_table,
    guessing,
    not_told_apart,
    total_seconds,
)
from pipeline.scale.runner import Plan, ScaleRun, announce, read_plan, rows_of, write_plan
from pipeline.terminal import compact_table, print_line, print_table, styled
from trainer.compound.forecast import Timing
from trainer.compound.grid import PAPER, GridPoint, distinct_networks, feasible_points, spread
from trainer.cost import network_cost

if TYPE_CHECKING:
    from trainer.compound.candidates import Candidate
    from trainer.compound.successive_halving import Rung

TABLE_FILE, FIGURE_FILE = "search.csv", "search.png"
SHOWN_ROWS = 8
UNEVEN = 1.5  # between the most expensive and the cheapest network
SHARE_TO_PLAN = 0.9  # of the minutes, because a forecast may be wrong


@dataclass(frozen=True)
class Grid:
    """Which points are tried: steps of the coefficients, tolerance of their growth, and rungs of the halving."""

    step: float
    tolerance: float
    rungs: int


def search(config: PipelineConfig, effort: Effort, grid: Grid, console: Console, forecast_only: bool) -> Row | None:
    """Searches, writes table and figure, and returns the best network; None with `forecast_only`.

    Raises:
      ConfigError: the grid has fewer than two networks, or the minutes are too few for two.
    """
    check_fair(config)
    points = feasible_points(grid.step, grid.tolerance)
    networks = distinct_networks(points, config.model)
    if len(networks) < 2:
        raise ConfigError(f"the grid has {len(points)} feasible points; choose a smaller --step, a larger --tolerance")
    run = ScaleRun(config, effort, console)
    console.print(f"{len(points)} feasible points, {len(networks)} different networks")
    candidates = _candidates(run, spread(list(networks), len(networks)))
    growths = [candidate.details["true_growth"] for candidate in candidates]
    console.print(f"after rounding they have {min(growths):.2f} to {max(growths):.2f} times the base's FLOPs")
    if max(growths) > UNEVEN * min(growths):
        console.print(
            styled(
                ("warning", "yellow"),
                "       that is uneven and favours the more expensive ones; compare the result with them, or try "
                "another model.image_size",
            ),
            soft_wrap=True,
        )
    folder = run.folder("search", _key(candidates, effort, grid))
    plan = read_plan(folder)
    timings = run.timings(plan, candidates)
    chosen, rungs = _plan(plan, candidates, effort, grid, timings)
    what = ", ".join(f"{rung.size} networks for {counted(rung.epochs, 'epoch')}" for rung in rungs)

    from trainer.compound.successive_halving import completed_trials, search_networks, search_pace

    pace = search_pace(chosen, rungs, run.seeds, timings, str(run.trainings))
    announce(console, f"{what}, {counted(effort.seeds, 'seed')}", pace, effort.minutes)
    if forecast_only:
        return None
    timed = [asdict(timing) for timing in timings]
    write_plan(folder, {**plan, "timings": timed, "networks": len(chosen)})
    state = (str(folder), str(run.trainings), effort.deadline)
    run.train(search_networks, chosen, rungs, run.seeds, timings, *state)
    # Other searches may have left outcomes of the same trainings, which are not part of this one.
    trained = completed_trials(str(folder))
    every = (row for rung in rungs for row in rows_of(chosen, run.seeds, rung.epochs, run.trainings))
    rows = [row for row in every if (point_of(row), row.epochs) in trained]
    if not rows:
        raise NothingTrained
    return _report(rows, rungs, networks, folder, console)


def check_learned(winner: Row) -> None:
    """Refuses to write coefficients without evidence for them.

    Raises:
      ConfigError: the network is no better than the best constant prediction.
    """
    if not winner.learned:
        first = winner.outcomes[0]
        raise ConfigError(
            "--write: nothing was written, because even the best network learned nothing: the best constant prediction "
            f"has accuracy {first.largest_share:.4f} and loss {first.constant_loss:.4f}, the network "
            f"{winner.accuracy:.4f} and {winner.loss:.4f}; search with more --epochs or images"
        )


def _candidates(run: ScaleRun, points: Sequence[GridPoint]) -> list["Candidate"]:
    models = {point: point.scale(run.config.model) for point in points}
    run.make_images([model.chosen_variant.resolution for model in models.values()])
    classes = run.class_count(next(iter(models.values())).chosen_variant.resolution)
    start = models[points[0]].model_copy(update={"phi": 0.0})
    base_macs = network_cost(start.chosen_variant, classes).macs
    candidates = []
    for point, model in models.items():
        cost = network_cost(model.chosen_variant, classes)
        details = {
            "alpha": point.alpha,
            "beta": point.beta,
            "gamma": point.gamma,
            "growth": round(point.growth, 3),
            "true_growth": round(cost.macs / base_macs, 3),
            "side": model.chosen_variant.resolution,
        }
        name = f"alpha {point.alpha:g}, beta {point.beta:g}, gamma {point.gamma:g}"
        layers = len(cost.layers)
        network = Network(name=name, group="grid", model=model, layers=layers, macs=cost.macs, details=details)
        candidates.append(run.candidate(network, latency=False))
    return candidates


def _key(candidates: Sequence["Candidate"], effort: Effort, grid: Grid) -> str:
    keys = [candidate.job.key() for candidate in candidates]
    experiment = [keys, effort.seeds, effort.minutes, grid.rungs]
    return hashlib.sha256(json.dumps(experiment).encode()).hexdigest()


def _plan(
    plan: Plan,
    candidates: list["Candidate"],
    effort: Effort,
    grid: Grid,
    timings: Sequence[Timing],
) -> tuple[list["Candidate"], list["Rung"]]:
    """As many networks as the minutes allow, decided once for a search; with the rungs."""
    from trainer.compound.successive_halving import make_rungs, search_seconds

    def forecast(count: int) -> float:
        rungs = make_rungs(count, effort.epochs, grid.rungs)
        return search_seconds(candidates[:count], rungs, effort.seeds, timings)

    count = plan.get("networks")
    if count is None:
        budget = math.inf if effort.minutes is None else effort.minutes * 60 * SHARE_TO_PLAN
        fitting = [count for count in range(2, len(candidates) + 1) if forecast(count) <= budget]
        if not fitting:
            raise ConfigError(
                f"two networks take about {clock(forecast(2))}, more than --minutes {effort.minutes:g}; "
                "allow more, or lower --epochs, --data-fraction or --set model.base_width"
            )
        count = fitting[-1]
    return candidates[:count], make_rungs(count, effort.epochs, grid.rungs)


def _report(
    rows: Sequence[Row],
    rungs: Sequence["Rung"],
    networks: dict[GridPoint, list[GridPoint]],
    folder: Path,
    console: Console,
) -> Row:
    """Writes and prints the result; returns the winner."""
    from pipeline.scale.figures import search_figure

    ranking = sorted(rows, key=lambda row: (-row.epochs, row.loss))
    finalists = [row for row in ranking if row.epochs == ranking[0].epochs]
    winner = finalists[0]
    best = point_of(winner)
    files.write_text(str(folder / TABLE_FILE), csv_table(rows))
    search_figure(rows, winner).savefig(folder / FIGURE_FILE, dpi=120)
    _print(console, ranking)
    say = functools.partial(print_line, console)
    say("best", f"{winner.candidate.name}: loss {winner.loss:.4f}, accuracy {winner.accuracy:.4f}")
    if same := networks[best]:
        shown = "; ".join(f"{point.alpha:g}, {point.beta:g}, {point.gamma:g}" for point in same)
        say("", f"the same network after rounding: {shown}")
    growths = sorted(row.candidate.details["true_growth"] for row in rows if row.epochs == rungs[0].epochs)
    mine = winner.candidate.details["true_growth"]
    say(
        "",
        f"it has {mine:g} times the base's FLOPs; the median of those tried is {median(growths):g}",
    )
    if close := [row.candidate.name for row in finalists[1:] if not_told_apart(winner, row)]:
        images, seeds = winner.outcomes[0].val_images, len(winner.outcomes)
        say("", f"not distinguishable from it with {images} images and {counted(seeds, 'seed')}: " + "; ".join(close))
    if len(finalists) < rungs[-1].size or winner.epochs < rungs[-1].epochs:
        say(
            "unfinished",
            "the time ran out (run the same command again to continue), or trainings failed and were not replaced",
        )
    done, planned = sum(len(row.outcomes) for row in rows), len(winner.outcomes) * sum(rung.size for rung in rungs)
    say("trainings", f"{done} of {planned}, {clock(total_seconds(rows))} in all; table and figure: {folder}")
    if guess := guessing(finalists):
        say("guessing", guess)
    return winner


def _print(console: Console, ranking: Sequence[Row]) -> None:
    """Prints the best, and the paper's coefficients."""
    table = compact_table("alpha", "beta", "gamma", "side", "growth", "in fact", "epochs", "loss", "+-", "accuracy")
    shown = list(ranking[:SHOWN_ROWS])
    if not any(point_of(row) == PAPER for row in shown):
        shown += [row for row in ranking[SHOWN_ROWS:] if point_of(row) == PAPER][:1]
    for row in shown:
        names = ("alpha", "beta", "gamma", "side", "growth", "true_growth")
        table.add_row(
            *(f"{row.candidate.details[name]:g}" for name in names),
            str(row.epochs),
            f"{row.loss:.4f}",
            "" if row.loss_spread is None else f"{row.loss_spread:.4f}",
            f"{row.accuracy:.4f}",
        )
    print_table(table, console)


def point_of(row: Row) -> GridPoint:
    """The coefficients of a network."""
    return GridPoint(*(row.candidate.details[name] for name in ("alpha", "beta", "gamma")))
