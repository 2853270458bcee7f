"""A project whose folder, push.path and images are named like patterns or markup is gated as any other."""

import json

import pytest

from tests.faults.conftest import make_photos
from tests.faults.project import READ_COMMANDS, Project

pytestmark = [pytest.mark.slow, pytest.mark.tfx]

PUSH = ("--set", 'push.path="models [prod]"')
SIBLINGS = ("models p", "models o")  # that the name would match as a pattern


def test_the_gate_compares_with_what_is_served_there(tmp_path):
    project = Project(
        tmp_path / "proj [v1] [/red] x?", tmp_path / "snapshot", tmp_path / "photos [2024] *", tmp_path / "notes"
    )
    project.folder.mkdir()
    make_photos(project.photos)
    project.write_settings()
    for sibling in SIBLINGS:
        (project.folder / sibling / "99").mkdir(parents=True)
        (project.folder / sibling / "99" / "saved_model.pb").write_bytes(b"another project's")
    first = project.effnet("run", *PUSH, "--set", "train.epochs=1")
    assert first.returncode == 0, first.stdout
    (served,) = json.loads(project.effnet("models", "--json", *PUSH).stdout)
    assert (project.folder / "models [prod]" / served["version"]).is_dir()
    for command in READ_COMMANDS:
        done = project.effnet(*command, *PUSH)
        assert done.returncode == 0, done.stdout
    image = next(project.photos.rglob("*.png"))
    asked = project.effnet("predict", str(image), *PUSH)
    assert asked.returncode == 0, asked.stdout
    assert str(image) in asked.stdout
    second = project.effnet("run", *PUSH)
    assert f"served version {served['version']}" in second.stdout, second.stdout
    assert "proj [v1] [/red] x?" in second.stdout


def test_what_cannot_be_listed_refuses_the_push(trained):
    trained.restore()
    there = trained.folder / "a file"
    there.touch()
    done = trained.effnet("run", "--set", f"push.path={there}")
    assert done.returncode == 3, done.stdout
    assert "cannot be read" in done.stdout
    assert "Not a directory" in done.stdout
