"""GitHub's workflows, as far as they can be read here: no machine but GitHub's runs them."""

import re
import shutil
import subprocess

import pytest
import yaml

from pipeline.config.load import DEFAULT_PATH
from pipeline.doctor.stack import NEWER, OLDER

PROJECT = DEFAULT_PATH.parent
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_it_is_pinned_may_little_and_calls_what_there_is(path):
    text = path.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert len(re.findall(r"uses: actions/[\w-]+@[0-9a-f]{40} # v[\d.]+$", text, re.M)) == text.count("uses:") > 0
    targets = re.search(r"^\.PHONY: (.+)$", (PROJECT / "Makefile").read_text(), re.M)[1].split()
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= {"nightly": 120, "kubeflow": 240}.get(path.stem, 60)
        for step in job["steps"]:
            # ${{ }} in a script would let what it holds run as code; but the matrix is this file's own.
            assert not re.search(r"\$\{\{ (?!matrix\.)", step.get("run", ""))
            assert set(re.findall(r"^make (\w[\w-]*)", step.get("run", ""), re.M)) <= set(targets)
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_matrix_has_every_python_on_a_system_of_its_stack():
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    systems = {entry["python"]: entry["os"] for entry in workflow["jobs"]["test"]["strategy"]["matrix"]["include"]}
    assert set(systems) == {f"{major}.{minor}" for stack in (OLDER, NEWER) for major, minor in stack.pythons}
    for stack in (OLDER, NEWER):
        for major, minor in stack.pythons:
            assert systems[f"{major}.{minor}"].replace("ubuntu-", "Ubuntu ") in stack.systems


@pytest.mark.slow
def test_actionlint_finds_nothing_amiss():
    command = ["actionlint"] if shutil.which("actionlint") else ["go", "run", ACTIONLINT]
    if not shutil.which(command[0]):
        pytest.skip("needs Go 1.25 or newer, which builds actionlint")
    shellcheck = str(PROJECT / ".venv/bin/shellcheck")
    done = subprocess.run(
        [*command, "-no-color", "-shellcheck", shellcheck], cwd=PROJECT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_what_is_pushed_passes_the_landing_and_each_night_runs_what_takes_longer():
    workflows = {path.stem: yaml.safe_load(path.read_text())["jobs"].values() for path in WORKFLOWS}
    steps = {name: [step.get("run", "") for job in jobs for step in job["steps"]] for name, jobs in workflows.items()}
    assert any(run.endswith(" .ci/run") for run in steps["ci"])
    for target in ("test-all COVERAGE=1", "mutants", "bench-smoke", "audit"):
        assert f"make {target}" in steps["nightly"]
