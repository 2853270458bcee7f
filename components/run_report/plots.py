"""The report's figures, drawn by Matplotlib as SVG that takes its ink from the page, so that they suit light and dark.

Text stays text, so that the browser shows names in any script. Matplotlib escapes it.
"""

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from components.common.printable import printable
from components.run_report.analysis import Bin

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Stand-ins that are replaced in the SVG: the page's own ink, faint ink and paper.
INK, FAINT, PAPER = "#010203", "#040506", "#070809"
REPLACED = {INK: "currentColor", FAINT: "var(--line)", PAPER: "var(--paper)"}
# Readable on white and on near-black, and apart for the colour-blind (Okabe and Ito, 2008).
COLOURS = ("#2b8cc4", "#e08a1e", "#2aa37a", "#c76a9f")
MATRIX_COLOURS = LinearSegmentedColormap.from_list("matrix", [(0.17, 0.55, 0.77, 0.0), (0.17, 0.55, 0.77, 0.8)])
STYLE: "dict[RcKeyType, object]" = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
MOST_NAMED, MOST_COUNTED = 40, 16  # classes whose names, and whose numbers, a confusion matrix has room for
LONGEST_NAME = 32


def curves(title: str, epochs: Sequence[float], lines: Mapping[str, Sequence[float]]) -> Markup:
    """Draws values by epoch."""
    with _figure(title, 4.6, 2.9) as (figure, axes):
        for name, values in lines.items():
            axes.plot(epochs, values, marker="o", markersize=3, label=name)
        axes.set_xlabel("epoch")
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(lines) > 1:
            axes.legend()
        return _svg(figure, title)


def class_bars(title: str, splits: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Markup:
    """Draws the images of each class as a bar, parted by split."""
    names = list(counts)
    with _figure(title, 4.6, min(max(1.2 + 0.22 * len(names), 2.0), 9.0)) as (figure, axes):
        left = np.zeros(len(names))
        for number, split in enumerate(splits):
            width = np.array([counts[name][number] for name in names])
            axes.barh(range(len(names)), width, left=left, label=split, height=0.8)
            left += width
        _name_ticks(axes, "y", names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("images")
        figure.legend(ncols=len(splits), loc="outside lower right")
        return _svg(figure, title)


def shares(title: str, kinds: Sequence[str], series: Mapping[str, Sequence[float]]) -> Markup:
    """Draws what share of the images is of each kind, one series beside the other."""
    with _figure(title, 4.6, 2.4) as (figure, axes):
        width = 0.8 / len(series)
        for number, (name, values) in enumerate(series.items()):
            places = np.arange(len(kinds)) - 0.4 + width * (number + 0.5)
            axes.bar(places, values, width, label=name)
        _name_ticks(axes, "x", kinds)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.grid(axis="x", visible=False)
        if len(series) > 1:
            figure.legend(ncols=len(series), loc="outside lower right")
        return _svg(figure, title)


def confusion(title: str, matrix: NDArray[np.int64], names: Sequence[str]) -> Markup:
    """Draws actual by predicted classes, coloured by the share of the actual class; int (classes, classes)."""
    side = min(max(1.6 + 0.3 * len(names), 3.4), 9.0)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with _figure(title, side, side) as (figure, axes):
        axes.imshow(share, cmap=MATRIX_COLOURS, vmin=0, vmax=1, aspect="equal")
        axes.grid(visible=False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("actual")
        if len(names) <= MOST_NAMED:
            _name_ticks(axes, "x", names, every=True)
            _name_ticks(axes, "y", names, every=True)
        if len(names) <= MOST_COUNTED:
            for (row, column), images in np.ndenumerate(matrix):
                if images:
                    axes.text(column, row, str(images), ha="center", va="center", fontsize=8)
        return _svg(figure, title)


def calibration(title: str, bins: Sequence[Bin]) -> Markup:
    """Draws how often the model was right over how sure it was."""
    with _figure(title, 4.6, 3.4) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", label="as sure as right")
        accuracy = np.array([found.accuracy for found in bins])
        ends = np.array([[found.low, found.high] for found in bins]).T
        reach = np.abs(ends - accuracy)
        sure = [found.confidence for found in bins]
        axes.errorbar(sure, accuracy, reach, fmt="o", markersize=5, linewidth=1, label="this model, 95 %")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share of right answers")
        figure.legend(ncols=2, loc="outside lower right")
        return _svg(figure, title)


def coverage(
    title: str, share: NDArray[np.float64], precision: NDArray[np.float64], threshold: tuple[float, float | None]
) -> Markup:
    """Draws how many of the surest answers are right over how many these are, and the threshold's point on the curve.

    Args:
        title: of the figure.
        share: float (images,), of all images.
        precision: float (images,), share of right answers among these.
        threshold: (share, precision) of the known answers; None where there are none.
    """
    with _figure(title, 4.6, 2.9) as (figure, axes):
        axes.plot(share, precision, label="the surest images")
        if threshold[1] is not None:
            axes.plot(threshold[0], threshold[1], marker="o", linestyle="", label="known")
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("share of images")
        axes.set_ylabel("share of right answers")
        axes.legend(loc="lower left")
        return _svg(figure, title)


def confidences(title: str, right: NDArray[np.float32], wrong: NDArray[np.float32]) -> Markup:
    """Draws the confidence of the right and of the wrong answers, float (images,) each."""
    with _figure(title, 4.6, 2.9) as (figure, axes):
        axes.hist([right, wrong], bins=[edge / 20 for edge in range(21)], stacked=True, label=["right", "wrong"])
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter("{x:.0f}")
        axes.set_xlabel("confidence")
        axes.set_ylabel("images")
        axes.legend(loc="upper left")
        return _svg(figure, title)


@contextmanager
def _figure(title: str, width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    # The salt makes the elements' ids: other ones in each figure of the page, the same ones in each run.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": printable(title)}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser's fonts have them
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(printable(title))
        axes.set_axisbelow(True)
        yield figure, axes


def _svg(figure: Figure, title: str) -> Markup:
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Only in styles: a class may be called as a colour is written.
    for stand_in, colour in REPLACED.items():
        svg = re.sub(rf"(fill|stroke): {stand_in}\b", rf"\1: {colour}", svg)
    # The page's font instead of Matplotlib's, of which only the measures are used.
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    referenced = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in referenced else "", svg)
    label = Markup.escape(printable(title))
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def _name_ticks(axes: Axes, axis: str, names: Iterable[str], every: bool = False) -> None:
    """Names the places 0, 1, ... of an axis; so many names as have room."""
    names = [printable(name) for name in names]
    names = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    step = 1 if every else -(-len(names) // MOST_NAMED)
    places = range(0, len(names), step)
    shown = [names[place] for place in places]
    if axis == "y":
        axes.set_yticks(places, shown)
        axes.tick_params("y", length=0)
    else:
        turned = len(shown) > 12 or max(map(len, shown), default=0) > 5
        axes.set_xticks(places, shown, rotation=90 if turned else 0)
        axes.tick_params("x", length=0)
