"""Figures of searches and studies, by matplotlib."""

import math
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from pipeline.scale.experiment import SAME
from pipeline.scale.results import Row
from trainer.compound.grid import PAPER

COLOURS = "viridis"  # dark is good
NARROW = 6  # times; where costs lie closer together, ticks of 1, 2, 3 and 5 are too few
MARKERS = "osD^vP*X<>"
OUTLINE = (withStroke(linewidth=3, foreground="white"),)  # so that numbers can be read on any colour


def search_figure(rows: Sequence[Row], winner: Row) -> Figure:
    """Left: where on the grid the loss of the first rung is low. Right: who came through, rung after rung.

    Args:
      rows: all networks of all rungs.
      winner: is ringed, and drawn thick.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    grid, course = figure.subplots(1, 2)
    shortest = min(row.epochs for row in rows)
    first = sorted((row for row in rows if row.epochs == shortest), key=lambda row: row.loss)
    details = [row.candidate.details for row in first]
    drawn = grid.scatter(
        [detail["gamma"] for detail in details],
        [detail["alpha"] for detail in details],
        c=[row.loss for row in first],
        s=[2400 * (detail["beta"] - 0.9) for detail in details],
        cmap=COLOURS,
        edgecolors=["tab:red" if row.candidate.name == winner.candidate.name else "black" for row in first],
        linewidths=[3.5 if row.candidate.name == winner.candidate.name else 0.5 for row in first],
    )
    for detail in details:
        grid.annotate(
            f"{detail['beta']:g}", (detail["gamma"], detail["alpha"]), ha="center", va="center", path_effects=OUTLINE
        )
    grid.plot(PAPER.gamma, PAPER.alpha, "kD", markersize=28, fillstyle="none", label="the paper's")
    figure.colorbar(drawn, ax=grid, label=f"validation loss after {shortest} epochs")
    grid.margins(0.15)
    grid.set(xlabel="gamma (resolution)", ylabel="alpha (depth)", title="The grid; beta (width) as size and number")
    grid.legend(loc="upper right", markerscale=0.4)

    for name in dict.fromkeys(row.candidate.name for row in rows):
        own = sorted((row for row in rows if row.candidate.name == name), key=lambda row: row.epochs)
        won = name == winner.candidate.name
        course.errorbar(
            [row.epochs for row in own],
            [row.loss for row in own],
            yerr=[_bar(row.loss_spread) for row in own],
            marker="o",
            capsize=3,
            color="tab:red" if won else "tab:gray",
            linewidth=2.5 if won else 0.8,
            zorder=3 if won else 2,
            label=name if won else None,
        )
    course.set_xscale("log", base=2)
    course.set_xticks(sorted({row.epochs for row in rows}))
    course.xaxis.set_major_formatter(ScalarFormatter())
    course.set(xlabel="epochs", ylabel="validation loss", title="Successive halving")
    course.grid(alpha=0.3)
    course.legend()
    return figure


def accuracy_figure(rows: Sequence[Row], cost: Callable[[Row], float], label: str, base: Row | None = None) -> Figure:
    """Accuracy against a cost, one line for each group, with one standard deviation over several seeds.

    Args:
      rows: the networks.
      cost: of a network.
      label: of the cost, with its unit.
      base: where every line begins; None: each for itself.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, (group, own) in enumerate(_lines(rows, base).items()):
        bars = axes.errorbar(
            [cost(row) for row in own],
            [row.accuracy for row in own],
            yerr=[_bar(row.accuracy_spread) for row in own],
            marker=MARKERS[number % len(MARKERS)] if base else None,
            capsize=3,
            label=group if base else None,
        )
        for row in () if base else own:  # beside their points names would lie on each other
            marker, colour = MARKERS[list(rows).index(row) % len(MARKERS)], bars.lines[0].get_color()
            axes.plot(cost(row), row.accuracy, marker, color=colour, label=row.candidate.name)
    axes.set_xscale("log")
    costs = [cost(row) for row in rows]
    few = max(costs) < NARROW * min(costs)
    axes.xaxis.set_major_locator(MaxNLocator(5) if few else LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=label, ylabel="accuracy")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _lines(rows: Sequence[Row], base: Row | None) -> dict[str, list[Row]]:
    """The networks of each group, from the smallest to the largest; groups of the same networks are one line."""
    groups = dict.fromkeys(name for row in rows if row is not base for name in row.candidate.group.split(SAME))
    names: dict[tuple[int, ...], list[str]] = {}
    for group in groups:
        own = [i for i, row in enumerate(rows) if row is base or group in row.candidate.group.split(SAME)]
        names.setdefault(tuple(sorted(own, key=lambda i: rows[i].outcomes[0].macs)), []).append(group)
    return {SAME.join(same): [rows[i] for i in own] for own, same in names.items()}


def _bar(spread: float | None) -> float:
    """No bar, and not one of no length, where the spread is not known."""
    return math.nan if spread is None else spread
