"""No fact is read from prose: with every message worded differently, runs, schedule and report come to the same.

The test runs a copy of the rooms in which the words of each message are spelled backwards. Names, settings, verdicts
and everything else that is not a sentence stay.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.exit_codes import ExitCode
from tests.faults.project import SECONDS, SETTINGS
from tests.faults.tiny_project import make_tiny_project

pytestmark = [pytest.mark.slow, pytest.mark.tfx]

ROOMS = ("pipeline", "components", "trainer", "data")
PROJECT = Path(__file__).parents[2]
SENTENCE = re.compile(r"[a-z]{2,},? [a-z]{2,},? [a-z]{2,}")
WORD = re.compile(r"(?<![\w.{<%/`-])[a-z]{3,}(?![\w.}=>(/`-])")  # not a name with dots, an option, a path or a field
NO_MESSAGES = ("re.compile", "connection.execute")  # patterns for messages of libraries, and SQL


class Reworded(ast.NodeTransformer):
    """Spells the words of sentences backwards, but for docstrings."""

    def __init__(self) -> None:
        self.changed = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node if ast.unparse(node.func) in NO_MESSAGES else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        is_sql = isinstance(node.value, ast.Constant) and "CREATE TABLE" in str(node.value.value)
        return node if is_sql else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        parts = [part for part in node.values if isinstance(part, ast.Constant)]
        if SENTENCE.search(" word ".join(part.value for part in parts)):
            for part in parts:
                part.value = self.reworded(part.value)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and SENTENCE.search(node.value):
            return ast.copy_location(ast.Constant(self.reworded(node.value)), node)
        return node

    def reworded(self, text: str) -> str:
        self.changed += 1
        return WORD.sub(lambda word: word[0][::-1], text)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """The rooms with other words."""
    copy, reworded = tmp_path_factory.mktemp("reworded"), Reworded()
    for room in ROOMS:
        shutil.copytree(PROJECT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pipeline.yaml", copy)
    for path in copy.rglob("*.py"):
        path.write_text(ast.unparse(reworded.visit(ast.parse(path.read_text(encoding="utf-8")))), encoding="utf-8")
    assert reworded.changed > 1000
    return copy


def test_the_same_verdicts_come_of_messages_in_other_words(elsewhere, tmp_path):
    project = make_tiny_project(tmp_path)
    settings = SETTINGS.replace("PHOTOS", "photos").replace("max_accuracy_drop: 0,", "max_accuracy_drop: 1.0,")
    (project / "pipeline.yaml").write_text(settings)

    def effnet(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "pipeline.cli", *words],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(elsewhere)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def shown(*words: str) -> list[dict]:
        return json.loads(effnet(*words, "--json").stdout)

    pushed = effnet("run")
    assert pushed.returncode == ExitCode.PUSHED, pushed.stdout + pushed.stderr
    assert re.search(r"^\[ 1/\d+\] ImageExampleGen +\d+ s$", pushed.stdout, re.MULTILINE)
    unchanged = effnet("schedule", "trigger")
    assert unchanged.returncode == ExitCode.PUSHED, unchanged.stdout + unchanged.stderr
    refused = effnet("run", "--set", "evaluate.min_accuracy=1.0")
    assert refused.returncode == ExitCode.GATE_REFUSED, refused.stdout + refused.stderr
    assert "gnihton dehsup" in refused.stdout, "the words are other ones"
    spoiled = effnet("schedule", "trigger", "--set", "data.min_images_per_class=1000")
    assert spoiled.returncode == ExitCode.GATE_REFUSED, spoiled.stdout + spoiled.stderr
    assert [run["result"] for run in shown("runs")] == ["pushed", "unchanged", "refused", "stopped"]
    history = shown("schedule", "history")
    assert [attempt["verdict"] for attempt in history] == ["unchanged", "refused"]
    assert history[0]["metrics"] and history[0]["run"] == 2
    assert all(Path(run["report"]).is_file() for run in shown("runs"))
