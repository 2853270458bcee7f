"""`effnet scale` on a user's images: the data part of the pipeline, real trainings, a page."""

import csv
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.run_record import latest_run
from tests.e2e.user_project import BIN, run_command

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

TINY = ("model.base_width=0.2", "model.base_depth=0.3", "model.image_size=32", "train.epochs=1")
SHORT = ("--seeds", "1", "--data-fraction", "0.3")


def scale(project, command: str, *arguments: str):
    effnet = [str(BIN / "effnet"), "scale", command]
    done = run_command([*effnet, *project.settings(*TINY), *arguments], cwd=project.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def page_of(stdout: str) -> Path:
    (line,) = [line for line in stdout.splitlines() if line.startswith("page")]
    return Path(line.partition("page")[2].strip())


def test_a_study_is_told_in_advance_made_once_and_drawn(project, first_run):
    arguments = ("--level", "2", *SHORT)
    assert "forecast" in scale(project, "study", *arguments, "--forecast")
    made = scale(project, "study", *arguments)
    page = page_of(made)
    rows = list(csv.DictReader((page.parent / "results.csv").open(encoding="utf-8")))
    assert [row["network"] for row in rows] == ["base", "depth x2", "width x2", "resolution x2", "compound x2"]
    assert page.read_text(encoding="utf-8").count("<svg") == 3
    again = scale(project, "study", *arguments)
    assert "5 of 5 trainings were done by an earlier run" in again
    # The data part ran in the pipeline's own store, and is not taken for a run that failed half-way.
    config = load_config(overrides=[f"runners.local.root={project.folder / 'build'}"])
    assert "Pusher" in latest_run(config.metadata_path)


def test_a_study_as_a_pipeline_finds_what_the_command_finds(project):
    tables = []
    for arguments in ((), ("--set", f"data.classes={list('0123456789')}", "--engine", "local")):
        page = page_of(scale(project, "study", *arguments, "--level", "2", *SHORT))
        assert page.read_text(encoding="utf-8").count("<svg") == 3
        tables.append(list(csv.DictReader((page.parent / "results.csv").open(encoding="utf-8"))))
    for row in (*tables[0], *tables[1]):
        assert float(row.pop("latency_ms")) > 0 < float(row.pop("seconds"))
    assert tables[0] == tables[1]
    assert page.is_relative_to(project.folder / "build" / "quickstart-study" / "artifacts" / "StudyReport")
    again = scale(project, "study", *arguments, "--level", "2", *SHORT)
    assert page_of(again) == page  # all of it comes from the cache


def test_networks_of_keras_are_compared_with_ours(project):
    made = scale(project, "compare", "--variant", "b0", "--backbone", "MobileNetV3Small", *SHORT)
    rows = list(csv.DictReader((page_of(made).parent / "results.csv").open(encoding="utf-8")))
    assert [(row["network"], row["group"]) for row in rows] == [
        ("b0", "EfficientNet"),
        ("MobileNetV3Small", "MobileNet"),
    ]


def test_a_search_writes_what_it_found(project, tmp_path):
    mine = tmp_path / "pipeline.yaml"
    mine.write_text((Path(__file__).parents[2] / "pipeline.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    arguments = ("--config", str(mine), "--step", "0.5", "--tolerance", "0.3", "--rungs", "1", "--write", *SHORT)
    made = scale(project, "search", *arguments)
    assert "in fact" in made
    model = load_config(mine).model
    assert abs(model.alpha * model.beta**2 * model.gamma**2 - 2) <= 0.3
    (figure,) = (project.folder / "build" / "quickstart" / "scale").glob("search-*/search.png")
    assert figure.stat().st_size > 10_000
