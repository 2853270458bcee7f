"""The report of a real run, and the commands about what was run."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.history.metadata import find_run

pytestmark = pytest.mark.tfx

SECTIONS = ["verdict", "comparison", "data", "training", "tuner", "evaluation", "mistakes", "serving", "lineage"]
MOST_BYTES = 5_000_000


def report_of(project, *arguments: str) -> Path:
    done = project.effnet("report", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["report"])


def test_the_report_tells_everything_and_needs_nothing(project, first_run):
    path = report_of(project, "1")
    assert str(path) in first_run.stdout
    html = path.read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)">', html) == SECTIONS
    assert path.stat().st_size < MOST_BYTES
    assert "is served" in html
    for name in ("0/cut short.png", "0/empty.jpg", "1/notes.jpg"):
        assert name in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    for title in ("Loss", "Accuracy", "Learning rate", "Images/s", "Confusion matrix", "Calibration", "Brightness"):
        assert f'aria-label="{title}' in html
    assert path.with_name("model_card.md").read_text(encoding="utf-8").startswith("# EfficientNet-B0")
    assert path.with_name("pipeline.yaml").is_file()


def test_masking_where_the_model_looked_lowers_its_score_more_than_masking_elsewhere(project, first_run):
    import tensorflow as tf

    from components.run_report.predictions import StoredSplit
    from trainer.grad_cam import explain, rebuild

    run = find_run(project.folder / "build" / "quickstart" / "metadata.sqlite", 1)
    saved_model = f"{run.output('Trainer', 'model')}/Format-Serving"
    split = StoredSplit(f"{run.output('ImageExampleGen', 'examples')}/Split-eval")
    answers = split.ask(saved_model, 1000)
    labels = answers.predicted
    images = split.read_images(range(len(labels)))
    explained = explain(saved_model, [images[number] for number in range(len(labels))], labels.tolist())
    network = tf.function(rebuild(saved_model))

    def scores(pixels: np.ndarray) -> np.ndarray:
        batches = np.array_split(pixels.astype(np.float32), len(pixels) // 64 + 1)
        probabilities = np.concatenate([tf.nn.softmax(network(batch, training=False)).numpy() for batch in batches])
        return probabilities[np.arange(len(labels)), labels]

    whole = scores(explained.pixels)
    np.testing.assert_allclose(whole, answers.confidence, atol=1e-4)  # the rebuilt network is the exported one

    size = explained.pixels.shape[1]
    side = size // 4
    grey = explained.pixels.mean(axis=(0, 1, 2))

    def drop(corners) -> float:
        masked = explained.pixels.copy()
        for image, (row, column) in zip(masked, corners, strict=True):
            image[row : row + side, column : column + side] = grey
        return float((whole - scores(masked)).mean())

    warmth = tf.nn.avg_pool2d(explained.heat[..., None], side, 1, "VALID").numpy()[..., 0]
    hottest = [np.unravel_index(each.argmax(), each.shape) for each in warmth]
    random = np.random.default_rng(0)
    elsewhere = np.mean([drop(random.integers(0, size - side + 1, (len(labels), 2))) for _ in range(3)])
    assert drop(hottest) > 1.5 * elsewhere > 0


def test_a_refused_run_has_a_report_that_says_why_and_what_changed(project, refused_run):
    run = refused_run.entry
    assert run["result"] == "refused"
    html = Path(run["report"]).read_text(encoding="utf-8")
    assert "Refused by the gate" in html
    assert re.findall(r'<section id="(\w+)">', html) == SECTIONS

    differences = json.loads(project.effnet("compare", "--json", "1", str(run["run"])).stdout)
    by_name = {difference["name"]: difference for difference in differences}
    assert by_name["evaluate.min_accuracy"]["other"] == 1.0
    assert by_name["result"]["other"].startswith("refused")
    assert not [name for name in by_name if name.startswith("train.")]


def test_a_run_that_was_stopped_for_its_data_has_a_report_of_them(stopped_run):
    (path,) = stopped_run.root.rglob("report.html")
    assert str(path) in stopped_run.done.stdout
    html = path.read_text(encoding="utf-8")
    assert "min_images_per_class" in html
    assert re.findall(r'<section id="(\w+)">', html) == ["verdict", "data", "lineage"]


def test_lineage_leads_from_the_served_model_to_its_images_and_parameters(project, first_run):
    found = json.loads(project.effnet("lineage", "--json").stdout)
    steps = {step["step"]: step for step in found["steps"]}
    assert found["version"] == project.served()[-1]
    assert next(iter(steps)) == "ImageExampleGen" and list(steps)[-1] == "Trainer"
    assert steps["ImageExampleGen"]["parameters"]["path"] == str(project.images)
    assert steps["Trainer"]["parameters"]["custom_config"]["train"]["epochs"] == 3
    assert "Pusher" not in steps


@pytest.mark.slow
def test_clean_takes_what_nobody_needs_and_the_next_run_still_answers(project, first_run):
    elsewhere = ("name=cleaned", "tune.enabled=false", "train.epochs=1", "evaluate.min_accuracy=0.01")
    assert project.effnet("run", overrides=elsewhere).returncode == 0
    again = (*elsewhere, "transform.format=png", "evaluate.min_accuracy=1.0")  # another model, which is refused
    assert project.effnet("run", overrides=again).returncode == 3
    root = project.folder / "build" / "cleaned"
    shown = json.loads(project.effnet("clean", "--json", "--keep-runs", "1", overrides=again).stdout)
    assert not shown["deleted"] and all(Path(entry["path"]).is_dir() for entry in shown["artifacts"])

    done = json.loads(project.effnet("clean", "--json", "--yes", "--keep-runs", "1", overrides=again).stdout)
    assert not [entry for entry in done["artifacts"] if Path(entry["path"]).exists()]
    assert len(list((root / "served").glob("[0-9]*/saved_model.pb"))) == 1
    assert [run["result"] for run in json.loads(project.effnet("runs", "--json", overrides=again).stdout)] == [
        "pushed",
        "refused",
    ]
    assert project.effnet("lineage", overrides=again).returncode == 0
    assert project.effnet("run", overrides=again).returncode == 3
