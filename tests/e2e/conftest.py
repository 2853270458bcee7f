"""One pipeline run, by the command that users type, shared by all end-to-end tests."""

import subprocess
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from data.quickstart import build_quickstart
from tests.e2e.user_project import Project


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


@pytest.fixture
def few_images(tmp_path) -> Path:
    """Two classes of forty photo tiles each; quick to ingest, too few to train on."""
    for name, photo in zip(("china", "flower"), load_sample_images().images, strict=True):
        (tmp_path / "few" / name).mkdir(parents=True)
        for tile in range(40):
            row, column = divmod(tile, 8)
            pixels = photo[row * 80 : row * 80 + 80, column * 80 : column * 80 + 80]
            Image.fromarray(pixels).save(tmp_path / "few" / name / f"{tile}.jpg")
    return tmp_path / "few"
