"""The tuner in whole pipeline runs: every algorithm, a kill, and a result that is taken over."""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.history.metadata import find_run
from tests.e2e.user_project import BIN
from trainer.tuning.records import read_records

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

QUICK = ("train.epochs=1", "evaluate.min_accuracy=0.01", "tune.data_fraction=0.2")


def overrides(name: str, *more: str) -> tuple[str, ...]:
    """Settings of a pipeline of its own on the shared images, so that it neither finds nor leaves anything."""
    return (*QUICK, f"name={name}", *more)


def tuner_of(project, name: str):
    """The Tuner's step of the newest run, and its folder of results."""
    step = find_run(project.folder / "build" / name / "metadata.sqlite", None).steps["Tuner"]
    return step, Path(step.outputs["tuner_results"].uri)


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "grid", "hyperband"])
def test_every_algorithm_ends_in_a_pushed_model_that_took_its_values(project, algorithm):
    name = f"tuned-{algorithm}"
    epochs = 3 if algorithm == "hyperband" else 1
    asked = (f"tune.algorithm={algorithm}", "tune.trials=4", f"tune.epochs={epochs}")
    done = project.effnet("run", overrides=overrides(name, *asked))
    assert done.returncode == 0, done.stdout + done.stderr
    step, results = tuner_of(project, name)
    rows = list(csv.DictReader((results / "trials.csv").open(encoding="utf-8")))
    assert len(rows) == 4 if algorithm != "hyperband" else len(rows) > 4
    (winner,) = [row for row in rows if row["winner"] == "True"]
    best = step.outputs["best_hyperparameters"]
    assert best.custom_properties["searched_by"].string_value == best.uri
    values = json.loads(next(Path(best.uri).iterdir()).read_text(encoding="utf-8"))["values"]
    assert values == {rate: float(winner[rate]) for rate in ("dropout_rate", "drop_connect_rate")}
    (model,) = (project.folder / "build" / name / "served").glob("*/assets.extra/model.json")
    info = json.loads(model.read_text(encoding="utf-8"))
    assert {rate: info[rate] for rate in values} == pytest.approx(values)


def test_a_run_that_is_killed_goes_on_with_its_search_and_a_later_one_takes_the_result_over(project):
    name = "tuned-killed"
    own = overrides(name, "tune.trials=8")
    command = [str(BIN / "effnet"), "run", *project.settings(*own)]
    running = subprocess.Popen(
        command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env=os.environ, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 1200

    def records():
        found = list((project.folder / "build" / name / "tuning").glob("*/search"))
        return read_records(str(found[0])) if found else []

    try:
        while sum(record.status == "completed" for record in records()) < 3:
            assert running.poll() is None and time.monotonic() < until
            time.sleep(0.2)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    before = [record for record in records() if record.status == "completed"]
    assert len(before) < 8

    done = project.effnet("run", overrides=own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert records()[: len(before)] == before
    assert [record.status for record in records()] == ["completed"] * 8

    searched, results = tuner_of(project, name)
    found = json.loads((results / "search.json").read_text(encoding="utf-8"))
    again = project.effnet("run", overrides=(*own, "tune.when=drift", "tune.epochs=2"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "; from the search of " in again.stdout
    reused, results = tuner_of(project, name)
    assert json.loads((results / "search.json").read_text(encoding="utf-8"))["values"] == found["values"]
    lineage = reused.outputs["best_hyperparameters"].custom_properties["searched_by"].string_value
    assert lineage == searched.outputs["best_hyperparameters"].uri != reused.outputs["best_hyperparameters"].uri
