"""What clients get stays right: through a bad model, a better one, a rollback, and runs that are killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from components.atomic_pusher.store import pushed_models
from components.serving_check.probing import probe
from tests.e2e.user_project import BIN

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
    assert "sparse_categorical_accuracy changed by -" in bad.stdout
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


def kill_at_random_moments(project, folder: Path, moments: int) -> None:
    """Kills runs that have everything but evaluation and push in the cache, and looks at what is served."""
    image = next((project.images / "7").glob("*.png")).read_bytes()

    def start(push_path: Path) -> subprocess.Popen:
        command = [str(BIN / "effnet"), "run", *project.settings(f"push.path={push_path}")]
        return subprocess.Popen(
            command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env=os.environ, start_new_session=True,
        )  # fmt: skip

    started = time.monotonic()
    assert start(folder / "whole").wait(timeout=600) == 0
    duration = time.monotonic() - started
    wanted = answers(folder / "whole", image)
    moment = random.Random(1)
    for number in range(moments):
        push_path = folder / str(number)
        running = start(push_path)
        time.sleep(moment.uniform(0, duration))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        for model in pushed_models(str(push_path)):
            assert probe(str(push_path / model.version), [image])["answers"]["probabilities"][0] == wanted
    assert start(push_path).wait(timeout=600) == 0
    assert answers(push_path, image) == wanted
    assert len(pushed_models(str(push_path))) == 1


def test_kill_9_at_any_moment_leaves_nothing_half_served_and_the_next_run_goes_through(project, first_run, tmp_path):
    kill_at_random_moments(project, tmp_path, moments=3)


@pytest.mark.slow
def test_kill_9_at_twenty_moments(project, first_run, tmp_path):
    kill_at_random_moments(project, tmp_path, moments=20)


def test_a_second_run_at_once_is_refused_in_one_line(project, first_run):
    other = f"name=other{os.getpid()}"
    first = subprocess.Popen(
        [str(BIN / "effnet"), "run", *project.settings(other)],
        cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        lock = project.folder / "build" / other.removeprefix("name=") / "run.holder"
        until = time.monotonic() + 60
        while not lock.exists() and time.monotonic() < until:
            time.sleep(0.2)
        second = project.effnet("run", overrides=(other,))
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"process {first.pid}" in second.stderr
