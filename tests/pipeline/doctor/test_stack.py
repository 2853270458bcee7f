"""Where each stack runs, and that the files which cannot ask `pipeline.doctor.stack` agree with it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import farmhash
import pytest

from pipeline.config.load import DEFAULT_PATH
from pipeline.doctor.stack import MACHINE, NEWER, OLDER, explain_choice, explain_newer, find_obstacle, stack_of

PROJECT = DEFAULT_PATH.parent
DEBIAN_12, UBUNTU_22, UBUNTU_24, DEBIAN_13 = (2, 36), (2, 35), (2, 39), (2, 41)
RUNTIME, GPU, TOOLS = "requirements.lock", "requirements-gpu.lock", "requirements-dev.lock"
CENTOS_7, DEBIAN_10 = (2, 17), (2, 28)


@pytest.mark.parametrize("glibc", [DEBIAN_10, UBUNTU_22, DEBIAN_12, UBUNTU_24, DEBIAN_13])
def test_the_older_stack_runs_on_all_systems_that_are_maintained(glibc):
    assert find_obstacle((3, 11), glibc, MACHINE) is None


@pytest.mark.parametrize("python", [(3, 11), (3, 13)])
def test_a_system_that_is_too_old_for_both_is_not_sent_to_the_other(python):
    said = find_obstacle(python, CENTOS_7, MACHINE)
    assert "this system has 2.17: use a container of these" in said
    assert "make setup" not in said


@pytest.mark.parametrize("python", NEWER.pythons)
def test_the_newer_stack_runs_on_newer_systems_and_says_so_on_older_ones(python):
    for glibc in (UBUNTU_24, DEBIAN_13):
        assert find_obstacle(python, glibc, MACHINE) is None
    for glibc in (UBUNTU_22, DEBIAN_12):
        said = find_obstacle(python, glibc, MACHINE)
        assert "needs glibc 2.39" in said
        assert "make setup PYTHON=3.11" in said


@pytest.mark.parametrize(
    ("python", "glibc", "machine", "said"),
    [
        ((3, 14), DEBIAN_13, MACHINE, "Python 3.14 has no wheels"),
        ((3, 10), DEBIAN_12, MACHINE, "Python 3.10 has no wheels"),
        ((3, 13), None, MACHINE, "glibc only"),
        ((3, 13), DEBIAN_13, "aarch64", "this is aarch64"),
    ],
)
def test_no_stack_at_all_is_one_sentence(python, glibc, machine, said):
    assert said in find_obstacle(python, glibc, machine)


def test_the_choice_and_what_a_newer_system_brings_are_explained():
    assert "glibc 2.36 is too old for TFX 1.21" in explain_choice((3, 11), DEBIAN_12)
    assert "on Debian 13 or Ubuntu 24.04" in explain_newer((3, 11), DEBIAN_12)
    assert "could run TFX 1.21" in explain_choice((3, 11), DEBIAN_13)
    assert "make setup" in explain_newer((3, 11), DEBIAN_13)
    assert explain_newer((3, 13), DEBIAN_13) is None


def test_the_makefile_chooses_by_the_same_glibc():
    makefile = (PROJECT / "Makefile").read_text()
    assert f"-ge {NEWER.glibc[1]} ] && echo '>=3.12,<3.14' || echo 3.11" in makefile


def plan(folder: Path, stamp: str, *words: str) -> str:
    """What make would do in a checkout whose environment, of Python 3.12, was set up as the stamp says."""
    shutil.copy(PROJECT / "Makefile", folder)
    for name in ("pyproject.toml", RUNTIME, GPU, TOOLS, stamp):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3.12\n")
    python.chmod(0o755)
    outside = ("MAKE", "MFLAGS", "PYTHON", "GPU", "DEV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    command = ["make", "-n", *words, "GLIBC_MINOR=41"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("asked", "anew"), [("3.11", True), ("3.12", False), (None, False)])
def test_setup_makes_the_environment_anew_for_another_python_only(tmp_path, asked, anew):
    words = ["setup", *([f"PYTHON={asked}"] if asked else [])]
    said = plan(tmp_path, ".venv/.installed-requirements.lock", *words)
    assert ("venv -q --clear --python '3.11' .venv" in said) == anew
    assert (" pip sync " in said) == anew


@pytest.mark.parametrize(
    ("words", "locks"),
    [
        ("setup", [RUNTIME, TOOLS]),
        ("run", [RUNTIME, TOOLS]),
        ("setup DEV=0", [RUNTIME]),
        ("setup GPU=1", [GPU, TOOLS]),
        ("setup GPU=1 DEV=0", [GPU]),
        ("lint DEV=0", [RUNTIME, TOOLS]),
    ],
)
def test_setup_installs_the_locks_that_are_asked_for(tmp_path, words, locks):
    said = plan(tmp_path, "nothing-installed", *words.split())
    assert re.findall(r" pip sync -q --require-hashes (.+)", said) == [" ".join(locks)]


@pytest.mark.parametrize(
    ("before", "words", "locks"),
    [
        ("installed-requirements", "setup", None),
        ("installed-requirements-gpu", "run", None),
        ("runtime-requirements", "run", None),
        ("runtime-requirements-gpu", "setup", None),
        ("runtime-requirements-gpu", "setup GPU=0", [RUNTIME]),
        ("runtime-requirements-gpu", "unit", [GPU, TOOLS]),
        ("runtime-requirements", "setup DEV=1", [RUNTIME, TOOLS]),
        ("installed-requirements-gpu", "setup DEV=0", [GPU]),
    ],
)
def test_what_was_installed_stays_unless_something_else_is_asked_or_needed(tmp_path, before, words, locks):
    said = plan(tmp_path, f".venv/.{before}.lock", *words.split())
    assert re.findall(r" pip sync -q --require-hashes (.+)", said) == ([" ".join(locks)] if locks else [])


def test_the_locks_are_tried_on_the_oldest_systems_that_are_named():
    script = (PROJECT / "tests/stacks/installable.sh").read_text()
    systems = [f"3.{minor}:manylinux_2_{stack.glibc[1]}" for stack in (OLDER, NEWER) for _, minor in stack.pythons]
    assert f"for system in {' '.join(systems)}; do" in script


def test_the_lock_holds_both_stacks():
    lock = (PROJECT / "requirements.lock").read_text()
    named = {"tfx": (OLDER.tfx, NEWER.tfx), "tensorflow": (OLDER.tensorflow, NEWER.tensorflow)}
    for package, versions in named.items():
        older, newer = (
            re.search(rf"^{package}==(\S+) ; python_full_version {sign} '3.12'", lock, re.M)[1] for sign in ("<", ">=")
        )
        assert (older.rsplit(".", 1)[0], newer.rsplit(".", 1)[0]) == versions


def test_this_interpreter_has_the_stack_that_is_named():
    import importlib.metadata
    import sys

    assert importlib.metadata.version("tfx").startswith(stack_of(sys.version_info[:2]).tfx)


def test_pyfarmhash_hashes_as_the_version_that_tfdv_asks_for():
    """Fingerprints by pyfarmhash 0.3.2."""
    assert [farmhash.fingerprint32(text) for text in ("", "image")] == [3696677242, 1975711923]
    assert [farmhash.fingerprint64(text) for text in ("", "image")] == [11160318154034397263, 15971349184263663217]
