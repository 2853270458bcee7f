"""`.ci/run` is red when either stack breaks: its own script, with stand-ins for the two test runs of minutes each."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from pipeline.config.load import DEFAULT_PATH

PROJECT = DEFAULT_PATH.parent
PASSED = "echo '== 7 passed, 1 skipped in 2.50s =='; exit 0"
BROKEN = "echo 'FAILED tests/test_it.py::test_it - assert 1 == 2'; exit 1"
HANGS = "sleep 60"
NOT_ALLOWED = "echo 'test-modern: may not make namespaces here; SKIP=modern leaves it out'; exit 77"
NO_MIRROR = "echo 'test-modern: debootstrap failed: no such host; SKIP=modern leaves it out'; exit 1"
SKIPPED = "echo 'test-modern: skipped by name (SKIP=modern)'; exit 0"


def write_script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def land(folder: Path, this_stack: str, newer_stack: str, limit: int = 4500) -> tuple[int, list[str]]:
    """The exit status of .ci/run, and the two lines of its summary."""
    script = (PROJECT / ".ci/run").read_text()
    assert "limit=4500" in script
    write_script(folder / ".ci/run", script.replace("limit=4500", f"limit={limit}"))
    write_script(folder / "bin/make", this_stack)
    for tool in re.findall(r"^(\S+) [\w-]+$", script.partition("<<'end'\n")[2].partition("\nend\n")[0], re.M):
        # There, so that the script installs nothing.
        write_script(folder / "bin" / tool, "exit 1")
    write_script(folder / "tests/stacks/modern.sh", newer_stack)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", folder / ".ci/run"], env=environment, capture_output=True, text=True, timeout=50)
    return done.returncode, done.stdout.splitlines()[-2:]


def test_it_is_green_when_both_pass_and_counts_their_tests(tmp_path):
    status, (this, newer) = land(tmp_path, PASSED, PASSED)
    assert status == 0
    assert this.startswith("this system's stack") and "7 passed, 1 skipped in 2.50s" in this
    assert newer.startswith("newer stack") and "7 passed" in newer


@pytest.mark.parametrize(("this_stack", "newer_stack", "broken"), [(BROKEN, PASSED, 0), (PASSED, BROKEN, 1)])
def test_a_break_in_either_stack_is_red_and_named(tmp_path, this_stack, newer_stack, broken):
    status, lines = land(tmp_path, this_stack, newer_stack)
    assert status == 1
    assert "FAILED, exit status 1: FAILED tests/test_it.py::test_it" in lines[broken]
    assert "7 passed" in lines[1 - broken]


def test_the_tests_are_told_that_this_is_ci(tmp_path):
    status, (this, _) = land(tmp_path, f'test "$CI" = true && {PASSED}', PASSED)
    assert (status, "7 passed" in this) == (0, True)


def test_only_a_user_who_may_not_make_the_debian_lands_without_it(tmp_path):
    status, (_, newer) = land(tmp_path / "rights", PASSED, NOT_ALLOWED)
    assert (status, "LEFT OUT: test-modern: may not make namespaces here" in newer) == (0, True)
    status, (_, newer) = land(tmp_path / "mirror", PASSED, NO_MIRROR)
    assert (status, "FAILED, exit status 1: test-modern: debootstrap failed" in newer) == (1, True)
    status, (_, newer) = land(tmp_path / "name", PASSED, SKIPPED)
    assert (status, "skipped by name (SKIP=modern)" in newer) == (0, True)


def test_what_takes_too_long_is_ended_and_red(tmp_path):
    status, (this, newer) = land(tmp_path, PASSED, HANGS, limit=2)
    assert status == 1
    assert "7 passed" in this
    assert "FAILED, not done within" in newer
