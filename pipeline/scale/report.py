"""The page of a study or a comparison: one self-contained HTML file, by Jinja2, with matplotlib's figures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from components.common import files
from components.common.html_pages import page_template
from components.common.human_format import clock
from pipeline.scale.experiment import Experiment
from pipeline.scale.figures import accuracy_figure
from pipeline.scale.results import (
    TABLE_FILE,
    TRAININGS_FILE,
    NothingTrained,
    Row,
    csv_of_trainings,
    csv_table,
    guessing,
    latency_told,
    make_rows,
    total_seconds,
)
from trainer.compound.outcome import outcome_at

PAGE_FILE = "index.html"
TEMPLATES = Path(__file__).with_name("templates")
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


def write_report(folder: str, experiment_json: str, model_runs: Sequence[str]) -> None:
    """Writes page, table and figures; what StudyReport calls.

    Args:
      folder: local.
      experiment_json: an `Experiment`.
      model_runs: outputs of the trainings: the first network's, seed by seed, then the next one's.

    Raises:
      NothingTrained: no training succeeded.
    """
    experiment = Experiment.model_validate_json(experiment_json)
    outcomes = iter([outcome_at(place) for place in model_runs])
    found = [[next(outcomes) for _ in experiment.seeds] for _ in experiment.networks]
    write_results(Path(folder), experiment, make_rows(experiment.networks, experiment.epochs, experiment.seeds, found))


def write_results(folder: Path, experiment: Experiment, rows: Sequence[Row]) -> Path:
    """Writes table, page and figures; returns the page's path.

    Raises:
      NothingTrained: there are no rows.
    """
    if not rows:
        raise NothingTrained
    files.write_text(str(folder / TABLE_FILE), csv_table(rows))
    files.write_text(str(folder / TRAININGS_FILE), csv_of_trainings(rows))
    first = rows[0].outcomes[0]
    facts = {
        "recipe": experiment.recipe,
        "trainings": trainings_done(experiment, rows),
        "images": f"{experiment.source}: {first.images} to train on, {first.val_images} of the val split to judge on",
    }
    if any(row.latency_ms is not None for row in rows):
        facts["latency"] = latency_told(rows)
    if guess := guessing(rows):
        facts["guessing"] = guess
    if missing := missing_trainings(experiment, rows):
        facts["missing"] = "; ".join(missing)
    return write_page(folder, Page(experiment.title, experiment.intro, facts, rows, experiment.base))


def trainings_done(experiment: Experiment, rows: Sequence[Row]) -> str:
    """How many trainings succeeded, and how long they took."""
    done = sum(len(row.outcomes) for row in rows)
    return f"{done} of {len(experiment.networks) * len(experiment.seeds)}, {clock(total_seconds(rows))} in all"


def missing_trainings(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """The trainings without a result, by network: they failed, or the time ran out."""
    done = {row.candidate.name: row.by_seed for row in rows}
    lacking = [
        (network.name, [str(seed) for seed in experiment.seeds if seed not in done.get(network.name, {})])
        for network in experiment.networks
    ]
    return [f"{name}, seed {' and '.join(seeds)}" for name, seeds in lacking if seeds]


def write_page(folder: Path, page: Page) -> Path:
    """Writes the page, and each figure as a PNG beside it; returns the page's path."""
    base = next((row for row in page.rows if row.candidate.name == page.base), None)
    drawings = []
    for name, (label, cost) in COSTS.items():
        figure = accuracy_figure(page.rows, cost, label, base)
        figure.savefig(folder / f"accuracy_{name}.png", dpi=120)
        drawings.append((f"accuracy against {label}", _svg(figure)))
    columns = list(dict.fromkeys(name for row in page.rows for name in row.candidate.details))
    text = page_template(TEMPLATES, "report.html.j2").render(
        page=page,
        columns=columns,
        drawings=drawings,
        several_seeds=any(len(row.outcomes) > 1 for row in page.rows),
        sampling_error=max((row.sampling_error for row in page.rows), default=0.0),
    )
    path = folder / PAGE_FILE
    files.write_text(str(path), text)
    return path


def _svg(figure: Figure) -> Markup:
    """The figure as part of the page; it is ours, and matplotlib escapes the names in it."""
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return Markup(text.getvalue()[text.getvalue().index("<svg") :])
