"""What clients get stays right: through a bad model, a better one, a rollback, and runs that are killed."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from components.model_exporter.report import read_report as read_exports
from components.served_model.versions import pushed_models
from components.serving_check.expected import read_expected
from components.serving_check.probe import probe
from components.serving_check.verdict import largest_difference
from pipeline.history.metadata import find_run
from tests.e2e.user_project import BIN
from tests.mounts import mounted, set_read_only

pytestmark = pytest.mark.tfx


def answers(push_path: Path, image: bytes) -> list[float]:
    """The probabilities that a client without this project gets of an image."""
    served = pushed_models(str(push_path))[0].version
    return probe(str(push_path / served), [image])["answers"]["probabilities"][0]


def with_shuffled_training_labels(images: Path, folder: Path) -> Path:
    """Copies the digits to train/ with labels that tell nothing, and a fifth of them to test/ with the right ones."""
    photos = sorted(path for path in images.glob("[0-9]/*.png") if path.name != "cut short.png")
    random.Random(0).shuffle(photos)
    test, train = photos[: len(photos) // 5], photos[len(photos) // 5 :]
    labels = [path.parent.name for path in train]
    random.Random(1).shuffle(labels)
    placed = [(path, "test", path.parent.name) for path in test]
    placed += [(path, "train", label) for path, label in zip(train, labels, strict=True)]
    for number, (path, split, label) in enumerate(placed):
        (folder / split / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / split / label / f"{number}.png")
    return folder


def test_a_bad_model_is_refused_a_better_one_served_and_a_rollback_brings_the_old_one_back(
    project, first_run, tmp_path
):
    push_path = tmp_path / "served"
    shutil.copytree(project.folder / "build" / "quickstart" / "served", push_path)
    image = next((project.images / "7").glob("*.png")).read_bytes()
    first = answers(push_path, image)

    own = (f"push.path={push_path}", "tune.enabled=false")
    poisoned = with_shuffled_training_labels(project.images, tmp_path / "poisoned")
    bad = project.effnet("run", overrides=(*own, f"data.path={poisoned}", "train.epochs=1"))
    assert bad.returncode == 3, bad.stdout + bad.stderr
    assert "accuracy changed by -" in bad.stdout
    assert answers(push_path, image) == first

    better = project.effnet("run", overrides=(*own, "train.epochs=8"))
    assert better.returncode == 0, better.stdout + better.stderr
    second = answers(push_path, image)
    assert second != first

    back = project.effnet("rollback", overrides=own)
    assert back.returncode == 0, back.stderr
    assert answers(push_path, image) == first
    listed = json.loads(project.effnet("models", "--json", overrides=own).stdout)
    assert [model["record"]["rollback_of"] for model in listed] == [listed[2]["version"], "", ""]


def test_the_pushed_model_gives_the_answers_that_the_network_gave_before_its_export(project, first_run):
    served = project.folder / "build" / "quickstart" / "served" / project.served()[0]
    expected = read_expected(str(served))
    assert expected is not None
    seen = probe(str(served), expected.images)["answers"]["probabilities"]
    assert largest_difference(seen, expected.probabilities) <= 1e-5


WHILE_IT_PUSHES = -1.0  # which takes a blink of the whole


def kill_runs(project, folder: Path, wanted: list[float], moments: Iterable[float]) -> None:
    """Kills runs that have everything but evaluation and push in the cache, and looks at what is served.

    Args:
      wanted: what the cached model answers.
      moments: when to kill each, in seconds after its start.
    """
    image = next((project.images / "7").glob("*.png")).read_bytes()
    for number, moment in enumerate(moments):
        push_path = folder / str(number)
        running = start_run(project, push_path)
        until = time.monotonic() + (600 if moment == WHILE_IT_PUSHES else moment)
        while time.monotonic() < until and running.poll() is None:
            if moment == WHILE_IT_PUSHES and list(push_path.glob(".incoming-*")):
                break
            time.sleep(0.001)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        for model in pushed_models(str(push_path)):
            assert probe(str(push_path / model.version), [image])["answers"]["probabilities"][0] == wanted
    assert start_run(project, push_path).wait(timeout=600) == 0
    assert answers(push_path, image) == wanted
    assert len(pushed_models(str(push_path))) == 1
    assert_sound(project.folder / "build" / "quickstart" / "metadata.sqlite")


def start_run(project, push_path: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [str(BIN / "effnet"), "run", *project.settings(f"push.path={push_path}")], cwd=project.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def assert_sound(database: Path) -> None:
    """The metadata store is whole, and the newest run in it is one that ended."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert all(step.done for step in find_run(database, None).steps.values())


def test_kill_9_in_the_middle_of_a_push_leaves_nothing_half_served_and_the_next_run_goes_through(
    project, first_run, tmp_path
):
    image = next((project.images / "7").glob("*.png")).read_bytes()
    wanted = answers(project.folder / "build" / "quickstart" / "served", image)
    kill_runs(project, tmp_path, wanted, [WHILE_IT_PUSHES])


@pytest.mark.slow
def test_kill_9_at_twenty_moments(project, first_run, tmp_path):
    image = next((project.images / "7").glob("*.png")).read_bytes()
    started = time.monotonic()
    assert start_run(project, tmp_path / "whole").wait(timeout=600) == 0
    duration = time.monotonic() - started
    chance = random.Random(1)
    moments = [WHILE_IT_PUSHES if number % 3 == 1 else chance.uniform(0, duration) for number in range(20)]
    kill_runs(project, tmp_path, answers(tmp_path / "whole", image), moments)


@pytest.mark.slow
def test_kill_9_at_twenty_moments_of_runs_that_ingest_and_train(project, first_run, tmp_path):
    image = next((project.images / "7").glob("*.png")).read_bytes()
    push_path = tmp_path / "served"
    shutil.copytree(project.folder / "build" / "quickstart" / "served", push_path)
    images = tmp_path / "few"
    for name in ("0", "1"):
        shutil.copytree(project.images / name, images / name)
    easy = (
        f"push.path={push_path}", f"data.path={images}", "data.drift=null", "data.max_bad_fraction=0.2",
        "tune.enabled=false", "train.epochs=1", "evaluate.min_accuracy=0.01", "evaluate.max_accuracy_drop=1.0",
        "evaluate.other_classes=floors", "push.keep=3",
    )  # fmt: skip

    def start(name: str) -> subprocess.Popen:
        command = [str(BIN / "effnet"), "run", *project.settings(*easy, f"name={name}")]
        return subprocess.Popen(
            command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    started = time.monotonic()
    assert start("whole").wait(timeout=900) == 0
    duration = time.monotonic() - started
    moment, killed, name = random.Random(2), 0, 0
    while killed < 20:
        running = start(f"killed{name}")
        try:
            assert running.wait(timeout=moment.uniform(0, duration)) == 0, "what was killed before is in its way"
            name += 1  # all is cached now: the next one begins anew
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            killed += 1
        assert abs(sum(answers(push_path, image)) - 1) < 1e-3
    assert start(f"killed{name}").wait(timeout=900) == 0


@pytest.mark.slow
def test_a_full_disk_or_a_read_only_one_fails_the_run_and_the_next_goes_through(project, first_run, tmp_path):
    image = next((project.images / "7").glob("*.png")).read_bytes()
    other = tmp_path / "other"
    shutil.copytree(project.folder / "build" / "quickstart" / "served", other)
    (version,) = [path for path in other.iterdir() if path.name.isdecimal()]
    (version / "fingerprint.pb").write_bytes(b"another export of the same network")
    with mounted(tmp_path / "disk", "size=30m") as disk:
        push_path = disk / "served"
        shutil.copytree(other, push_path)
        before = answers(push_path, image)
        own = (f"push.path={push_path}",)
        full = project.effnet("run", overrides=own)
        assert (full.returncode, full.stdout.count("No space left on device; what was served stays")) == (1, 1)
        set_read_only(disk, True)
        refused = project.effnet("run", overrides=own)
        assert (refused.returncode, refused.stdout.count("Read-only file system")) == (1, 1)
        assert [model.version for model in pushed_models(str(push_path))] == [version.name]
        assert answers(push_path, image) == before
        set_read_only(disk, False)
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        done = project.effnet("run", overrides=own)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(pushed_models(str(push_path))) == 2


@pytest.mark.slow
def test_the_quick_start_in_eight_bits_loses_at_most_a_point_and_is_a_third_of_the_size(project, first_run):
    done = project.effnet("run", overrides=("export.formats=[litert_float16, litert_int8, onnx]",))
    assert done.returncode == 0, done.stdout + done.stderr
    reports = (project.folder / "build" / "quickstart" / "artifacts" / "ModelExporter" / "exports").glob("*")
    exports = {export.format: export for export in read_exports(str(next(reports)))}
    eight_bits = exports["litert_int8"]
    assert eight_bits.agreement.model_accuracy - eight_bits.agreement.accuracy <= 0.01
    assert eight_bits.size_ratio <= 0.35
    assert exports["onnx"].agreement.difference <= 1e-5
    assert "litert_int8" in done.stdout


def test_a_second_run_at_once_is_refused_in_one_line_and_the_first_ends_as_if_alone(project, second_run):
    assert second_run.done.returncode == 0
    assert second_run.refused.returncode == 1
    assert second_run.refused.stderr.count("\n") == 1
    assert f"process {second_run.process}" in second_run.refused.stderr
    assert_sound(project.folder / "build" / "quickstart" / "metadata.sqlite")
