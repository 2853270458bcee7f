"""Code that is in the current folder, or under names that this project uses too, does not run instead of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.quickstart import build_quickstart
from tests.e2e.user_project import BIN, PROJECT, SMALL
from tests.faults.hostile_folder import NAMES, set_traps

pytestmark = pytest.mark.command

CONFIG = "name: flowers\ndata: {path: photos}\nevaluate: {min_accuracy: 0.1, max_accuracy_drop: 0.0}\n"


def command(*words: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)], cwd=folder, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_commands_import_nothing_of_the_current_folder(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(CONFIG)
    traps = set_traps(folder)
    for words in (["config"], ["models"]):
        done = command(BIN / "effnet", *words, folder=folder)
        assert done.returncode == 0, done.stderr
    assert not traps.exists()


def test_a_scheduled_run_is_a_process_that_imports_nothing_of_the_current_folder(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    (tmp_path / "photos").mkdir()
    traps = set_traps(tmp_path)
    triggered = ("schedule", "trigger", "--set", "schedule.retries.times=0")
    done = command(BIN / "effnet", *triggered, folder=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert not traps.exists()


@pytest.mark.tfx
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["--direct_running_mode=in_memory", "--direct_running_mode=multi_processing"])
def test_a_whole_run_imports_nothing_of_the_current_folder(tmp_path, workers):
    build_quickstart(tmp_path / "photos")
    traps = set_traps(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    own = (*SMALL, "train.epochs=1", "tune.enabled=false", f"runners.beam=['{workers}','--direct_num_workers=2']")
    done = command(BIN / "effnet", "run", *(part for one in own for part in ("--set", one)), folder=tmp_path)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert not traps.exists(), traps.read_text()


def test_python_starts_without_a_module_of_ours():
    listed = "import sys; print([name for name in sys.modules if name.split('.')[0] in ('pipeline', 'components')])"
    assert command(sys.executable, "-c", listed, folder=PROJECT).stdout == "[]\n"


def test_a_user_s_own_package_of_our_name_is_the_one_that_is_imported(tmp_path):
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("whose = 'the user'\n")
    done = command(sys.executable, "-c", "import pipeline; print(pipeline.whose)", folder=tmp_path)
    assert done.stdout == "the user\n", done.stderr


@pytest.mark.parametrize("name", ["pipeline", "components", "trainer", "data"])
def test_a_package_that_hides_ours_is_named(tmp_path, name):
    theirs = tmp_path / "lib" / name / "__init__.py"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    done = command(BIN / "effnet", "--version", folder=tmp_path, PYTHONPATH=str(tmp_path / "lib"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {theirs} hides this project's package `{name}`; rename it")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_an_init_hides_nothing(tmp_path):
    (tmp_path / "lib" / "data").mkdir(parents=True)
    assert command(BIN / "effnet", "--version", folder=tmp_path, PYTHONPATH=str(tmp_path / "lib")).returncode == 0


@pytest.mark.parametrize("runner", ["local_runner.py", "kubeflow_runner.py"])
def test_a_runner_that_is_started_as_a_script_does_not_take_its_neighbours_for_libraries(tmp_path, runner):
    shown = "import sys, importlib.util\nprint(sys.path)\nprint(importlib.util.find_spec('schedule'))\n"
    done = subprocess.run(
        [sys.executable, "-i", PROJECT / "pipeline" / runner], input=shown, cwd=tmp_path, capture_output=True,
        text=True, env={**os.environ, "EFFNET_CONFIG": str(tmp_path / "none.yaml")},
    )  # fmt: skip
    assert "cannot read" in done.stderr
    path, spec = done.stdout.splitlines()
    assert str(PROJECT / "pipeline") not in path and str(PROJECT) in path
    assert spec == "None"
