"""A skip is named at the end, and fails in CI unless its reason is one that no package could change."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TESTS = """
import pytest

def test_runs():
    pass

@pytest.mark.skipif(True, reason="needs Debian's package chromium")
def test_browser():
    raise AssertionError

def test_disk():
    pytest.skip("needs the right to mount: no loop device")

@pytest.mark.xfail(strict=True)
def test_known():
    raise AssertionError
"""


def run(folder: Path, content: str, **environment: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(content)
    (folder / "conftest.py").write_text("from tests.not_run import *")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder],
        env={**{name: value for name, value in os.environ.items() if name != "CI"}, **environment},
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_what_did_not_run_is_named_and_harmless_at_home(tmp_path):
    status, said = run(tmp_path, TESTS)
    assert status == 0
    assert "test_it.py::test_browser: needs Debian's package chromium" in said
    assert "test_it.py::test_disk: needs the right to mount: no loop device" in said
    assert "1 passed, 2 skipped, 1 xfailed" in said


def test_in_ci_it_has_failed_unless_the_machine_cannot_have_it(tmp_path):
    status, said = run(tmp_path, TESTS, CI="true")
    assert status == 1
    assert "1 passed, 1 skipped, 1 xfailed, 1 error" in said  # it was its setup that skipped
    assert "which fails in CI (tests/not_run.py): needs Debian's package chromium" in said
    assert "test_it.py::test_disk: needs the right to mount: no loop device" in said


@pytest.mark.parametrize("ci", ["", "true"])
def test_nor_does_a_whole_file_leave_in_silence(tmp_path, ci):
    status, said = run(tmp_path, 'import pytest\npytest.importorskip("no_such_package")', CI=ci)
    assert "no_such_package" in said
    assert status == (2 if ci else 5)  # an error of collection; nothing was collected
