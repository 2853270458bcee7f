"""Pipeline runs by the command that users type, each made once and looked at by several end-to-end tests."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from data.quickstart import build_quickstart
from pipeline.run_lock import RUN, holder_of
from tests.e2e.user_project import BIN, Project


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Project:
    """The digits, and among them what folders of photos really hold."""
    folder = tmp_path_factory.mktemp("user")
    images = folder / "photos"
    build_quickstart(images)
    whole = next((images / "0").glob("*.png")).read_bytes()
    (images / "0" / "cut short.png").write_bytes(whole[: len(whole) // 2])
    (images / "0" / "empty.jpg").touch()
    (images / "1" / "notes.jpg").write_text("not an image")
    (images / "1" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (images / "nothing yet").mkdir()
    return Project(folder, images)


@pytest.fixture(scope="session")
def first_run(project) -> subprocess.CompletedProcess:
    return project.effnet("run")


@dataclass
class Second:
    """A run of what is cached already, and the one that was typed while it ran.

    Attributes:
      done: how it ended.
      process: that worked on it.
      refused: how the other one ended.
    """

    done: subprocess.CompletedProcess
    process: int | None
    refused: subprocess.CompletedProcess


def holder_in(root: Path, group: int) -> int | None:
    """The process that holds the pipeline's folder, if it is in a group: a run works in a child of its own."""
    holder = holder_of(root, RUN)
    try:
        return holder.process if holder and os.getpgid(holder.process) == group else None
    except ProcessLookupError:
        return None


@pytest.fixture(scope="session")
def second_run(project, first_run) -> Second:
    command = [str(BIN / "effnet"), "run", *project.settings()]
    running = subprocess.Popen(
        command, cwd=project.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "COLUMNS": "200"}, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 600
        while not (holder := holder_in(project.folder / "build" / "quickstart", running.pid)):
            assert running.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        refused = project.effnet("run")
        said, _ = running.communicate(timeout=600)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    return Second(subprocess.CompletedProcess(command, running.returncode, said), holder, refused)


@dataclass
class Refused:
    """A run under a threshold that no model reaches: how it ended, and its entry in `effnet runs`."""

    done: subprocess.CompletedProcess
    entry: dict[str, Any]


@pytest.fixture(scope="session")
def refused_run(project, first_run) -> Refused:
    done = project.effnet("run", overrides=("evaluate.min_accuracy=1.0",))
    return Refused(done, json.loads(project.effnet("runs", "--json").stdout)[-1])


@dataclass
class Stopped:
    """A run that its data stop, for each class has too few images; and the folder where it works."""

    done: subprocess.CompletedProcess
    root: Path


@pytest.fixture(scope="session")
def stopped_run(project, tmp_path_factory) -> Stopped:
    few, root = make_few_images(tmp_path_factory.mktemp("few")), project.folder / "stopped"
    own = (f"data.path={few}", "data.min_images_per_class=200", f"runners.local.root={root}")
    return Stopped(project.effnet("run", overrides=own), root)


def make_few_images(folder: Path) -> Path:
    """Writes two classes of forty photo tiles each; quick to ingest, too few to train on."""
    for name, photo in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for tile in range(40):
            row, column = divmod(tile, 8)
            pixels = photo[row * 80 : row * 80 + 80, column * 80 : column * 80 + 80]
            Image.fromarray(pixels).save(folder / name / f"{tile}.jpg")
    return folder


@pytest.fixture
def few_images(tmp_path) -> Path:
    return make_few_images(tmp_path / "few")
