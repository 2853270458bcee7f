"""The page of a study or a comparison: one HTML file that stands for itself, by Jinja2, with matplotlib's figures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.scale_figures import accuracy_figure
from pipeline.scale_results import Row

PAGE_FILE = "index.html"
COSTS = {
    "flops": ("multiply-adds of one image, millions", lambda row: row.outcomes[0].macs / 1e6),
    "parameters": ("parameters, millions", lambda row: row.outcomes[0].parameters / 1e6),
    "latency": ("latency of one image, ms", lambda row: row.latency_ms),
}


@dataclass(frozen=True)
class Page:
    """What is on the page.

    Args:
      title: of it.
      intro: what was compared.
      facts: how, by name.
      rows: the networks.
      base: the name of the one from which every line begins.
    """

    title: str
    intro: str
    facts: Mapping[str, str]
    rows: Sequence[Row]
    base: str | None


def write_page(folder: Path, page: Page) -> Path:
    """Writes the page, and each figure as a PNG beside it; returns the page's path."""
    base = next((row for row in page.rows if row.contender.name == page.base), None)
    drawings = []
    for name, (label, cost) in COSTS.items():
        figure = accuracy_figure(page.rows, cost, label, base)
        figure.savefig(folder / f"accuracy_{name}.png", dpi=120)
        drawings.append(_svg(figure))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    columns = list(dict.fromkeys(name for row in page.rows for name in row.contender.details))
    text = environment.get_template("scale.html.j2").render(
        page=page,
        columns=columns,
        drawings=drawings,
        sampling_error=max((row.sampling_error for row in page.rows), default=0.0),
    )
    path = folder / PAGE_FILE
    path.write_text(text, encoding="utf-8")
    return path


def _svg(figure: Figure) -> Markup:
    """The figure to stand in the page; it is ours, and matplotlib escapes the names in it."""
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return Markup(text.getvalue()[text.getvalue().index("<svg") :])
