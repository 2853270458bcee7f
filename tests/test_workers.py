"""Files that share a pipeline run stay on one worker and in their order, and long ones start first."""

import os
import subprocess
import sys
from pathlib import Path

from tests.workers import unit_of

PROJECT = Path(__file__).parents[1]
FILES = {
    "tests/a/test_quick.py": ("", 3),
    "tests/a/test_tfx.py": ("pytestmark = pytest.mark.tfx\n", 2),
    "tests/e2e/test_first.py": ("pytestmark = pytest.mark.slow\n", 2),
    "tests/e2e/test_second.py": ("", 2),
}


def test_files_of_a_folder_that_shares_a_run_are_one_unit():
    assert unit_of("tests/e2e/test_report.py::test_it[a/b::c]") == "tests/e2e"
    assert unit_of("tests/trainer/test_cost.py::TestIt::test_that") == "tests/trainer/test_cost.py"


def test_two_workers_run_everything_once_and_keep_units_together(tmp_path):
    for name, (head, number) in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tests = "".join(f"def test_{index}(request):\n    note(request)\n" for index in range(number))
        path.write_text(f"import pytest\nfrom conftest import note\n{head}{tests}")
    (tmp_path / "conftest.py").write_text(
        "import os, pathlib\n"
        "from tests.workers import pytest_collection_modifyitems, pytest_xdist_make_scheduler\n"
        "def note(request):\n"
        "    path = pathlib.Path(__file__).with_name(os.environ['PYTEST_XDIST_WORKER'])\n"
        "    with path.open('a') as file:\n"
        "        file.write(request.node.nodeid + '\\n')\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  tfx\n  slow\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env={**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}"},
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [(tmp_path / f"gw{number}").read_text().splitlines() for number in range(2)]
    wanted = [f"{name}::test_{n}" for name, (_, number) in FILES.items() for n in range(number)]
    assert sorted(ran[0] + ran[1]) == sorted(wanted)
    for name in ("tests/e2e", "tests/a/test_tfx.py", "tests/a/test_quick.py"):
        assert sum(any(test.startswith(name) for test in tests) for tests in ran) == 1
    (e2e,) = [tests for tests in ran if any(test.startswith("tests/e2e") for test in tests)]
    assert e2e[:4] == [f"tests/e2e/{name}::test_{n}" for name in ("test_first.py", "test_second.py") for n in (0, 1)]
