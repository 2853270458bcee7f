"""What surrounds the code: one version, the changelog, the hooks before a commit and GitHub's issue forms."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from pipeline.config.load import DEFAULT_PATH

PROJECT = DEFAULT_PATH.parent
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
HOOKS = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
FORMS = sorted((PROJECT / ".github/ISSUE_TEMPLATE").glob("*_*.yml"))
# https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema
FORM_INPUTS = {"textarea", "input", "dropdown", "checkboxes"}


def test_the_version_that_is_shown_is_pyproject_s():
    assert importlib.metadata.version("tfx-efficientnet") == VERSION
    shown = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "--version"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"effnet {VERSION}\n"


def test_the_changelog_starts_with_what_is_unreleased_and_then_this_version():
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", (PROJECT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == VERSION
    assert all(date for _, date in headings[1:])


def test_the_hooks_run_the_tools_of_make_lint_from_the_environment():
    recipe = re.search(r"^lint: .*\n((?:\t.+\n)+)", (PROJECT / "Makefile").read_text(), re.M)[1]
    assert {repository["repo"] for repository in HOOKS} == {"local"}
    hooks = [hook for repository in HOOKS for hook in repository["hooks"]]
    for hook in hooks:
        command = hook["entry"].replace(" --force-exclude", "")
        assert re.search(rf"^\t{re.escape(command)}( |$)", recipe, re.M), command
    checked = {line.split()[0] for line in recipe.splitlines()}
    assert {hook["entry"].split()[0] for hook in hooks} >= checked - {".venv/bin/lint-imports"}


def test_a_commit_that_breaks_the_style_is_refused(tmp_path):
    files = {
        **{name: (PROJECT / name).read_text() for name in (".pre-commit-config.yaml", "pyproject.toml")},
        "good.py": '"""Good."""\n',
        "bad.py": "import os\n",
        "bad.sh": "#!/bin/sh\necho $1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", *files], cwd=tmp_path, check=True)

    def results(*names: str) -> dict[str, str]:
        command = [sys.executable, "-m", "pre_commit", "run", "--color=never", "--files", *names]
        environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "SKIP": "mypy"}
        said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
        return dict(re.findall(r"^([a-z ]+?)\.+(?:\(no files to check\))?(Passed|Failed|Skipped)$", said, re.M))

    ruff = ["ruff check", "ruff format"]
    assert results("good.py") == dict.fromkeys(ruff, "Passed") | dict.fromkeys(["mypy", "shellcheck"], "Skipped")
    bad = results("bad.py", "bad.sh")
    assert (bad["ruff check"], bad["shellcheck"]) == ("Failed", "Failed")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one_that_github_shows(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "body", "labels", "title"}
    inputs = [element for element in form["body"] if element["type"] != "markdown"]
    assert inputs and {element["type"] for element in inputs} <= FORM_INPUTS
    names = [element["id"] for element in inputs]
    assert len(set(names)) == len(names)
    assert all(element["attributes"]["label"] for element in inputs)
    assert all(element["attributes"]["value"] for element in form["body"] if element["type"] == "markdown")
    assert any(element.get("validations", {}).get("required") for element in inputs)
