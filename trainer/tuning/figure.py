"""The trials as a figure: dropout over drop-connect, coloured by score."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from trainer.settings import RATES
from trainer.tuning.records import TrialRecord

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

SIZE = (7.0, 5.0)  # inches
AREA = 110  # of a mark, in square points
# Text stays text, and the same trials make the same file: ids from a constant, no date.
STYLE: "dict[RcKeyType, object]" = {"svg.fonttype": "none", "svg.hashsalt": "trials"}
NO_RESULT = {"failed": "tab:red", "stopped": "tab:gray", "running": "tab:gray"}


class Look(TypedDict, total=False):
    """Of a kind of mark, as Matplotlib's `scatter` takes it."""

    s: float
    marker: str
    c: ArrayLike | str
    edgecolors: str
    facecolors: str


def trials_figure(records: Sequence[TrialRecord], ranking: Sequence[TrialRecord], score_name: str) -> str:
    """Draws every trial where its two rates lie.

    Args:
      records: all trials.
      ranking: those that finished, the best first, at least one.
      score_name: what they are ranked by.

    Returns:
      An SVG document. Failed and stopped trials are crosses, the default values a square, the winner is ringed.
    """
    with rc_context(STYLE):
        names = _two_searched(records)
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        scale = ScalarMappable(Normalize(), "viridis")
        scale.set_array(np.array([record.score for record in ranking]))
        scale.autoscale()
        for marker, label, is_default in (("o", "trial", False), ("s", "default values", True)):
            shown = [record for record in ranking if record.is_default == is_default]
            colours = scale.to_rgba(np.array([record.score for record in shown]))
            _mark(axes, names, shown, label, s=AREA, marker=marker, c=colours, edgecolors="black")
        for status, colour in NO_RESULT.items():
            shown = [record for record in records if record.status == status]
            _mark(axes, names, shown, status, s=AREA, marker="x", c=colour)
        _mark(axes, names, ranking[:1], "winner", s=3 * AREA, marker="o", facecolors="none", edgecolors="black")
        axes.set(xlabel=_label(names[0]), ylabel=_label(names[1]), yscale="log" if "learning" in names[1] else "linear")
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
        figure.colorbar(scale, ax=axes, label=score_name)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _two_searched(records: Sequence[TrialRecord]) -> tuple[str, str]:
    """The hyperparameters of the axes: the rates, or what trials of the head alone have in place of drop-connect."""
    shared = set.intersection(*(set(record.values) for record in records))
    first, *others = [name for name in dict.fromkeys((*RATES, *records[0].values)) if name in shared]
    return first, (others or [first])[0]


def _label(name: str) -> str:
    return name.removesuffix("_rate").replace("drop_connect", "drop-connect").replace("_", " ")


def _mark(axes: Axes, names: tuple[str, str], records: Sequence[TrialRecord], label: str, **look: Unpack[Look]) -> None:
    """Draws a mark for each of the trials; without one there is no entry in the legend either."""
    if records:
        horizontal, vertical = ([record.values[name] for record in records] for name in names)
        axes.scatter(horizontal, vertical, label=label, **look)
