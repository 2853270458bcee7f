"""The projects that the faults hit: one with stand-in models for what needs no training, one that was really run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from components.atomic_pusher import store
from components.served_model.record import PushRecord
from tests.faults.project import IMAGES, Project

CLASSES = 3


def make_photos(folder: Path) -> None:
    """So many digits of each class, under names that are a pattern, markup and an emoji to some."""
    digits = load_digits(n_class=CLASSES)
    for label in range(CLASSES):
        place = folder / f"class {label} [v1]*"
        place.mkdir(parents=True)
        for number, pixels in enumerate(digits.images[digits.target == label][: IMAGES // CLASSES]):
            image = Image.fromarray((pixels / 16 * 255).astype(np.uint8)).resize((32, 32))
            image.save(place / f"{number} [bold]? :cat:.png")


def new_project(folder: Path) -> Project:
    project = Project(folder / "project", folder / "snapshot", folder / "photos", folder / "notes")
    project.folder.mkdir(parents=True)
    make_photos(project.photos)
    project.write_settings()
    return project


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Project:
    """Two versions are served; their models are stand-ins, which no command loads that this is for."""
    folder = tmp_path_factory.mktemp("untrained")
    project = new_project(folder)
    for name, accuracy in (("old", 0.9), ("new", 0.95)):
        model = folder / name
        for part in ("saved_model.pb", "fingerprint.pb", "variables/variables.index", "variables/variables.data"):
            (model / part).parent.mkdir(parents=True, exist_ok=True)
            (model / part).write_bytes(name.encode() * 1000)
        store.push(str(model), str(project.served), PushRecord(accuracy=accuracy), keep=5)
    project.keep()
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Project:
    """One version is served, and a run is in the cache whose model is as good but not pushed yet."""
    project = new_project(tmp_path_factory.mktemp("trained"))
    for epochs in (1, 2):
        done = project.effnet("run", "--set", f"train.epochs={epochs}")
        assert done.returncode == 0, done.stdout
        if epochs == 1:
            (first,) = project.models()
    for path in project.served.iterdir():
        if path.is_dir() and path.name != first["version"]:
            shutil.rmtree(path)
    project.keep()
    return project
