"""`effnet scale search`: which alpha, beta and gamma suit the images."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from pipeline.config import ConfigError, PipelineConfig
from pipeline.scale_question import Effort, Entrant
from pipeline.scale_results import NothingTrained, Row, csv_table, rows_of, total_seconds
from pipeline.scale_run import ScaleRun, announce, read_plan, write_plan
from trainer.cost import network_cost
from trainer.forecast import Timing, clock
from trainer.scaling_grid import GridPoint, distinct_networks, feasible_points, spread

if TYPE_CHECKING:
    from trainer.contenders import Contender
    from trainer.scaling_search import Rung

TABLE_FILE, FIGURE_FILE = "search.csv", "search.png"
SHOWN_ROWS = 8
UNEVEN = 2.0  # between the dearest and the cheapest network
SHARE_TO_PLAN = 0.9  # of the minutes, for a forecast is a forecast


@dataclass(frozen=True)
class Grid:
    """Which points are tried: steps of the coefficients, tolerance of their growth, and rungs of the halving."""

    step: float
    tolerance: float
    rungs: int


def search(
    config: PipelineConfig, effort: Effort, grid: Grid, console: Console, forecast_only: bool
) -> GridPoint | None:
    """Searches, writes table and figure, and returns the best point; None where only the forecast was asked for.

    Raises:
      ConfigError: nothing is feasible, or the minutes do not suffice for two networks.
    """
    if config.train.chosen_recipe.head_share:
        raise ConfigError("a search trains from scratch, without a phase for the head; use --set train.recipe=quick")
    points = feasible_points(grid.step, grid.tolerance)
    networks = distinct_networks(points, config.model)
    if len(networks) < 2:
        raise ConfigError(f"the grid has {len(points)} feasible points; choose a smaller --step, a larger --tolerance")
    run = ScaleRun(config, effort, console)
    console.print(f"{len(points)} feasible points, {len(networks)} different networks", highlight=False)
    contenders = _contenders(run, spread(list(networks), len(networks)))
    growths = [contender.details["true_growth"] for contender in contenders]
    console.print(
        f"after rounding they have {min(growths):.2f} to {max(growths):.2f} times the base's FLOPs", highlight=False
    )
    if max(growths) > UNEVEN * min(growths):
        console.print(
            "[yellow]warning[/]       that is uneven: the dearer ones have an advantage; another image_size helps"
        )
    folder = run.folder("search", _key(contenders, effort, grid))
    plan = read_plan(folder)
    timings = run.timings(plan, contenders)
    chosen, rungs, seconds = _plan(plan, contenders, effort, grid, timings)
    what = ", ".join(f"{rung.size} networks for {rung.epochs} epochs" for rung in rungs)
    announce(console, f"{what}, {effort.seeds} seed(s)", seconds, effort.minutes)
    if forecast_only:
        return None

    from trainer.scaling_search import search_networks

    timed = [asdict(timing) for timing in timings]
    write_plan(folder, {**plan, "timings": timed, "networks": len(chosen)})
    state = (str(folder), str(run.trainings), effort.deadline)
    run.train(folder, search_networks, chosen, rungs, run.seeds, timings, *state)
    rows = [row for rung in rungs for row in rows_of(chosen, run.seeds, rung.epochs, run.trainings)]
    if not rows:
        raise NothingTrained
    return _report(rows, networks, folder, console)


def _contenders(run: ScaleRun, points: Sequence[GridPoint]) -> list["Contender"]:
    models = {point: point.scale(run.config.model) for point in points}
    run.make_images([model.chosen_variant.resolution for model in models.values()])
    classes = run.class_count(next(iter(models.values())).chosen_variant.resolution)
    start = models[points[0]].model_copy(update={"phi": 0.0})
    base_macs = network_cost(start.chosen_variant, classes).macs
    contenders = []
    for point, model in models.items():
        macs = network_cost(model.chosen_variant, classes).macs
        details = {
            "alpha": point.alpha,
            "beta": point.beta,
            "gamma": point.gamma,
            "growth": round(point.growth, 3),
            "true_growth": round(macs / base_macs, 3),
            "side": model.chosen_variant.resolution,
        }
        name = f"alpha {point.alpha:g}, beta {point.beta:g}, gamma {point.gamma:g}"
        entrant = Entrant(name=name, group="grid", model=model, macs=macs, details=details)
        contenders.append(run.contender(entrant, latency=False))
    return contenders


def _key(contenders: Sequence["Contender"], effort: Effort, grid: Grid) -> str:
    keys = [contender.job.key() for contender in contenders]
    question = [keys, effort.seeds, effort.minutes, grid.rungs]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()


def _plan(
    plan: Mapping[str, Any],
    contenders: list["Contender"],
    effort: Effort,
    grid: Grid,
    timings: Sequence[Timing],
) -> tuple[list["Contender"], list["Rung"], float]:
    """As many networks as the minutes allow, decided once for a search; with rungs and forecast."""
    from trainer.scaling_search import make_rungs, search_seconds

    def forecast(count: int) -> float:
        rungs = make_rungs(count, effort.epochs, grid.rungs)
        return search_seconds(contenders[:count], rungs, effort.seeds, timings)

    count = plan.get("networks")
    if count is None:
        budget = math.inf if effort.minutes is None else effort.minutes * 60 * SHARE_TO_PLAN
        fitting = [count for count in range(2, len(contenders) + 1) if forecast(count) <= budget]
        if not fitting:
            raise ConfigError(
                f"two networks take about {clock(forecast(2))}, more than --minutes {effort.minutes:g}; "
                "allow more, or lower --epochs, --data-fraction or --set model.base_width"
            )
        count = fitting[-1]
    return contenders[:count], make_rungs(count, effort.epochs, grid.rungs), forecast(count)


def _report(
    rows: Sequence[Row], networks: dict[GridPoint, list[GridPoint]], folder: Path, console: Console
) -> GridPoint:
    """Writes and prints what was found; returns the winner."""
    from pipeline.scale_figures import search_figure

    longest = max(row.epochs for row in rows)
    finalists = sorted((row for row in rows if row.epochs == longest), key=lambda row: row.loss)
    winner = finalists[0]
    (folder / TABLE_FILE).write_text(csv_table(rows), encoding="utf-8")
    search_figure(rows, winner).savefig(folder / FIGURE_FILE, dpi=120)

    table = Table("alpha", "beta", "gamma", "side", "growth", "in fact", "epochs", "loss", "accuracy")
    for row in sorted(rows, key=lambda row: (-row.epochs, row.loss))[:SHOWN_ROWS]:
        details = (f"{value:g}" for value in row.contender.details.values())
        alpha, beta, gamma, growth, true_growth, side = details
        measured = (str(row.epochs), f"{row.loss:.4f}", f"{row.accuracy:.4f}")
        table.add_row(alpha, beta, gamma, side, growth, true_growth, *measured)
    console.print(table)
    best = _point(winner)
    console.print(
        f"[bold]best[/]          {winner.contender.name}: loss {winner.loss:.4f}, accuracy {winner.accuracy:.4f}",
        highlight=False,
    )
    if same := networks[best]:
        shown = "; ".join(f"{point.alpha:g}, {point.beta:g}, {point.gamma:g}" for point in same)
        console.print(f"              the same network after rounding: {shown}", highlight=False)
    error = math.sqrt(2) * winner.sampling_error
    close = [row.contender.name for row in finalists[1:] if winner.accuracy - row.accuracy <= error]
    if close:
        images = winner.outcomes[0].val_images
        console.print(
            f"              not told apart from it by {images} images (accuracy within {error:.3f}): "
            + "; ".join(close),
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"[bold]trainings[/]     {clock(total_seconds(rows))} in all; table and figure: {folder}",
        highlight=False,
        soft_wrap=True,
    )
    return best


def _point(row: Row) -> GridPoint:
    return GridPoint(*(row.contender.details[name] for name in ("alpha", "beta", "gamma")))
