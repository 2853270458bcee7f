"""What a user sees of the whole pipeline: pushed, cached, refused, and never wrong in silence."""

import csv
import json
import re

import pytest
from PIL import Image

from pipeline.history.metadata import find_run
from tests.e2e.user_project import BIN, PROJECT, run_command

pytestmark = pytest.mark.tfx


def test_a_dirty_folder_ends_in_a_pushed_model(project, first_run):
    assert first_run.returncode == 0, first_run.stdout + first_run.stderr
    assert "blessed" in first_run.stdout
    assert len(project.served()) == 1
    assert (project.folder / "build" / "quickstart" / "served" / project.served()[0] / "saved_model.pb").is_file()


def test_the_summary_names_every_file_that_was_left_out_and_loses_none(first_run):
    assert "1797 of 1801 files in 10 classes" in first_run.stdout
    for name in ("0/cut short.png", "0/empty.jpg", "1/notes.jpg", "1/Thumbs.db", "nothing yet"):
        assert name in first_run.stdout


def test_the_output_is_short_and_plain(first_run):
    assert len(first_run.stdout.splitlines()) <= 60
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", first_run.stdout)
    assert first_run.stderr == ""


def test_predict_names_the_class_in_every_format(project, first_run, tmp_path):
    scan = next((project.images / "7").glob("*.png"))
    picture = Image.open(scan)
    picture.convert("L").save(tmp_path / "grey.png")
    picture.convert("RGB").save(tmp_path / "photo.jpg", quality=95)
    picture.convert("RGB").save(tmp_path / "photo.webp", lossless=True)
    names = ["grey.png", "photo.jpg", "photo.webp"]
    done = project.effnet("predict", "--json", *[str(tmp_path / name) for name in names])
    answers = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert len({answer["class_name"] for answer in answers}) == 1
    assert all(abs(sum(answer["probabilities"].values()) - 1) < 0.01 for answer in answers)

    done = project.effnet("predict", str(scan), str(project.images / "0" / "empty.jpg"), str(tmp_path / "none.jpg"))
    assert done.returncode == 1
    assert "No such file" in done.stdout


def test_predict_answers_for_a_folder(project, first_run, tmp_path):
    done = project.effnet("predict", str(project.images / "7"), "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(list((project.images / "7").glob("*.png")))
    assert sum(row["class"] == "7" for row in rows) > 0.9 * len(rows)


def test_a_second_run_takes_everything_from_the_cache_and_pushes_nothing_new(project, second_run):
    assert second_run.done.returncode == 0
    # Those that look at what is served, which the first run has changed, decide again.
    ran = re.findall(r"^\[ ?\d+/\d+\] (\w+) +\d+ s$", second_run.done.stdout, re.MULTILINE)
    assert set(ran) <= {"DataGate", "Pusher", "DataProfile", "RunReport"}
    assert "from cache" in second_run.done.stdout
    assert len(project.served()) == 1


def test_the_gate_refuses_and_the_served_model_stays(project, refused_run):
    assert refused_run.done.returncode == 3
    assert "not blessed" in refused_run.done.stdout
    assert len(project.served()) == 1


def test_the_stock_command_line_creates_and_runs_it_from_any_folder(project, first_run, tmp_path):
    settings = " ".join(f"'{part}'" for part in project.settings() if part != "--set")
    environment = {"EFFNET_SET": settings, "LOCAL_HOME": str(tmp_path / "local")}
    runner = str(PROJECT / "pipeline" / "local_runner.py")
    create = [str(BIN / "tfx"), "pipeline", "create", "--engine", "local", "--pipeline_path", runner]
    created = run_command(create, cwd=tmp_path, **environment)
    assert "created successfully" in created.stdout, created.stdout + created.stderr
    run = [str(BIN / "tfx"), "run", "create", "--engine", "local", "--pipeline_name", "quickstart"]
    ran = run_command(run, cwd=tmp_path, **environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    steps = find_run(project.folder / "build" / "quickstart" / "metadata.sqlite", None).steps
    assert steps["Pusher"].cached  # it ran the very pipeline that effnet ran
    assert len(project.served()) == 1


def test_a_missing_folder_is_one_clear_line(project):
    done = project.effnet("run", overrides=(f"data.path={project.folder / 'nowhere'}",))
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "nowhere" in error and "data.path" in error


def stopped_for_data(done, root) -> str:
    """The one line that says why."""
    assert done.returncode == 4
    assert not list(root.rglob("saved_model.pb"))
    errors = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stdout + done.stderr
    return errors[0]


def test_too_few_images_of_a_class_stop_the_run(stopped_run):
    assert "min_images_per_class" in stopped_for_data(stopped_run.done, stopped_run.root)


@pytest.mark.slow
def test_one_class_only_is_one_clear_line(project, few_images, tmp_path):
    for image in (few_images / "china").iterdir():
        image.unlink()
    own = (f"data.path={few_images}", f"runners.local.root={tmp_path / 'build'}")
    assert "flower" in stopped_for_data(project.effnet("run", overrides=own), tmp_path / "build")


@pytest.mark.slow
def test_too_many_bad_files_stop_the_run(project, few_images, tmp_path):
    for image in list((few_images / "china").iterdir())[:10]:
        image.write_bytes(b"spoilt")
    own = (f"data.path={few_images}", f"runners.local.root={tmp_path / 'build'}")
    assert "max_bad_fraction" in stopped_for_data(project.effnet("run", overrides=own), tmp_path / "build")
