"""The rooms in other words: a copy of the sources in which the words of each message are spelled backwards.

Names, settings, verdicts and everything else that is not a sentence stay. What reads a fact from prose breaks there.
"""

import ast
import re
import shutil
from pathlib import Path

ROOMS = ("pipeline", "components", "trainer", "data")
PROJECT = Path(__file__).parents[1]
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


def reword_rooms(copy: Path) -> None:
    """Write the copy into a folder."""
    reworded = Reworded()
    for room in ROOMS:
        shutil.copytree(PROJECT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pipeline.yaml", copy)
    for path in copy.rglob("*.py"):
        path.write_text(ast.unparse(reworded.visit(ast.parse(path.read_text(encoding="utf-8")))), encoding="utf-8")
    assert reworded.changed > 1000
