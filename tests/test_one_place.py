"""What one module does for all, no other module does: the bans that ruff's banned-api cannot express, for methods."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ROOMS = ("pipeline", "components", "trainer", "data")
FILES, DURABLE, TERMINAL = "components/common/files.py", "components/common/durable.py", "pipeline/terminal.py"
CSV = "components/common/csv_table.py"
# Method or class -> the modules that call it; those beyond the first one say there why.
OWNERS = {
    "write_text": (FILES, "components/serving_check/probe.py"),
    "write_bytes": (FILES,),
    "rename": (
        DURABLE,
        "components/atomic_pusher/disk.py",
        "data/quickstart.py",
    ),
    "list_files": (FILES,),
    "match_files": (FILES,),
    "storages": (FILES, "components/common/compare_and_swap.py"),  # the options of Google's client
    "Console": (TERMINAL,),
    "DictWriter": (CSV,),
    "writer": (CSV, "pipeline/serving/answer_table.py"),  # rows as they come, appended to a file
    "YAML": ("pipeline/config/edit.py",),
}


def calls(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and line of each call, but for those of the writing functions of `files`."""
    tree = ast.parse(source)
    ours = {"files.write_text", "files.write_bytes"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "components.common.files":
            ours |= {alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) not in ours:
            yield called.rpartition(".")[2], node.lineno


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_it_is_called_in_its_own_module_only(name):
    sources = {path.relative_to(PROJECT).as_posix(): path for room in ROOMS for path in (PROJECT / room).rglob("*.py")}
    assert len(sources) > 100
    found = [
        f"{place}:{line}"
        for place, path in sources.items()
        if place not in OWNERS[name]
        for called, line in calls(path.read_text(encoding="utf-8"))
        if called == name
    ]
    assert not found, f"{OWNERS[name][0]} has it for all"


def test_the_search_finds_what_is_banned():
    source = "Path(x).write_text(y)\nfiles.write_text(x, y)\nConsole()\nfiles.storages().match([x])\n"
    assert {name for name, _ in calls(source)} == {"write_text", "Path", "Console", "match", "storages"}
