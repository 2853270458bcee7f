"""`effnet scale` on a user's images: the data part of the pipeline, real trainings, a page."""

import csv
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.history.metadata import find_run
from tests.e2e.user_project import BIN, run_command

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

TINY = ("model.base_width=0.2", "model.base_depth=0.3", "model.image_size=32", "train.epochs=1")
SHORT = ("--seeds", "1", "--data-fraction", "0.3")


def scale(project, command: str, *arguments: str):
    done = attempt(project, command, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(project, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    effnet = [str(BIN / "effnet"), "scale", command]
    return run_command([*effnet, *project.settings(*TINY), *arguments], cwd=project.folder)


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
    assert "5 of 5 trainings are done by an earlier run" in again
    # The data part ran in the pipeline's own store, and is not taken for a run that failed half-way.
    config = load_config(overrides=[f"runners.local.root={project.folder / 'build'}"])
    assert "Pusher" in find_run(config.metadata_path, None).steps


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


def test_a_search_that_was_killed_goes_on_and_writes_nothing_where_nothing_was_learned(project, tmp_path):
    mine = tmp_path / "pipeline.yaml"
    mine.write_text((Path(__file__).parents[2] / "pipeline.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    grid = ("--config", str(mine), "--step", "0.5", "--tolerance", "0.3", "--rungs", "2", "--epochs", "2")
    outcomes = killed_after(2, project, "search", *grid, *SHORT)
    made = scale(project, "search", *grid, *SHORT)
    assert "for the rest" in made
    assert "6 of 6" in made  # four networks for an epoch, two of them for two
    assert "in fact" in made
    for path, written in outcomes.items():
        assert path.stat().st_mtime_ns == written  # not trained again
    assert "no better than always answering the largest class" in made
    before = mine.read_text(encoding="utf-8")
    refused = attempt(project, "search", *grid, *SHORT, "--write")
    assert refused.returncode == 2
    assert "--write: nothing was written, because even the best network learned nothing" in refused.stderr
    assert mine.read_text(encoding="utf-8") == before
    (figure,) = (project.folder / "build" / "quickstart" / "scale").glob("search-*/search.png")
    assert figure.stat().st_size > 10_000
    rows = list(csv.DictReader((figure.parent / "search.csv").open(encoding="utf-8")))
    assert len(rows) == 6
    assert len({row["images"] for row in rows}) == 1  # the same share of the images, whatever their size


def killed_after(count: int, project, command: str, *arguments: str) -> dict[Path, int]:
    """Kills a command once it has so many outcomes more than there were; returns when each outcome was written."""
    folder = project.folder / "build" / "quickstart" / "scale" / "trainings"
    enough = len(list(folder.glob("*.json"))) + count
    effnet = [str(BIN / "effnet"), "scale", command, *project.settings(*TINY), *arguments]
    process = subprocess.Popen(effnet, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(list(folder.glob("*.json"))) < enough:
            assert process.poll() is None, "the command ended before it could be killed"
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
