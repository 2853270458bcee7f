"""What is in the wheel is enough to run from it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.config.load import DEFAULT_PATH

SHORT = ("train.epochs=1", "tune.enabled=false", "evaluate.min_accuracy=0.05")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=DEFAULT_PATH.parent, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


def effnet(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, of the wheel and not of this checkout."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "pipeline.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )


def test_the_shipped_settings_are_read_from_an_installed_wheel(installed, tmp_path):
    done = effnet(installed, tmp_path, "config", "--quick-start")
    assert done.returncode == 0, done.stderr
    assert f"path: {tmp_path}/build/digits" in done.stdout


@pytest.mark.parametrize("root", ["components.run_report.executor", "trainer.train", "pipeline.scale.report"])
def test_the_code_of_a_step_has_one_key_from_a_checkout_and_from_a_wheel(installed, root):
    program = "import sys; from components.common.code_key import ROOT, code_key; print(ROOT, code_key(sys.argv[1]))"
    found = [
        subprocess.run(
            [sys.executable, "-P", "-c", program, root],
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for place in (DEFAULT_PATH.parent, installed)
    ]
    assert [place for place, _ in found] == [str(DEFAULT_PATH.parent), str(installed)]
    assert found[0][1] == found[1][1]


@pytest.mark.tfx
@pytest.mark.slow
def test_the_quick_start_runs_in_an_empty_folder_from_an_installed_wheel(installed, tmp_path):
    before = {path for path in installed.rglob("*") if "__pycache__" not in path.parts}
    overrides = [part for setting in SHORT for part in ("--set", setting)]
    done = effnet(installed, tmp_path, "run", "--quick-start", *overrides)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "digits").is_dir() and (tmp_path / "build" / "quickstart" / "served").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
    assert {path for path in installed.rglob("*") if "__pycache__" not in path.parts} == before
    assert effnet(installed, tmp_path, "models", "--quick-start").returncode == 0
