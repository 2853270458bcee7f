"""The table of coverage by room, from a real measurement."""

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from tests.rooms_covered import below, count_rooms, room_of, table_of

PROJECT = Path(__file__).parents[1]
# One of four branches is never taken.
CODE = """
def sign(number):
    if number > 0:
        return 1
    if number < 0:
        return -1
    return 0
assert sign(1) == 1 and sign(0) == 0
"""


def test_a_room_is_a_package_one_folder_deep():
    assert room_of("components/image_example_gen/sources/folders.py") == "components/image_example_gen"
    assert (room_of("trainer/fit/loop.py"), room_of("trainer/train.py")) == ("trainer/fit", "trainer")


def test_what_was_reached_is_added_up_and_too_little_is_named(tmp_path):
    files = {"components/gate/rules.py": CODE, "components/gate/plain.py": "x = 1\n"}
    files |= {"trainer/a.py": f"{CODE}assert sign(-1) == -1\n"}
    files |= {f"{package}/__init__.py": "" for package in ("components", "components/gate", "trainer")}
    for path, code in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(code)
    (tmp_path / "all.py").write_text("import components.gate.rules, components.gate.plain, trainer.a\n")
    (tmp_path / ".coveragerc").write_text("[run]\nbranch = true\nsource = components, trainer\nrelative_files = true\n")
    run = [sys.executable, "-m", "coverage"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # of ours
    subprocess.run([*run, "run", "all.py"], cwd=tmp_path, env=alone, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.rooms_covered"], cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["components/gate", "8", "88%", "4", "75%", "needs", "tests,", "or", "a", "reason"] in rows
    assert ["trainer", "8", "100%", "4", "100%"] in rows
    assert done.stdout.splitlines()[-1] == "below 85% of the branches, without a reason: components/gate"


def test_a_room_with_a_reason_shows_it(monkeypatch):
    monkeypatch.setattr("tests.rooms_covered.REASONS", {"components/gate": "runs in a process of its own"})
    summary = {"num_statements": 8, "covered_lines": 4, "num_branches": 4, "covered_branches": 1}
    rooms = count_rooms({"components/gate/rules.py": {"summary": summary}})
    said = io.StringIO()
    Console(file=said, width=120).print(table_of(rooms))
    assert "runs in a process of its own" in said.getvalue()
    assert below(rooms) == []
