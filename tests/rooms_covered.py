"""Which part of each room's lines and branches the tests reached: `make test COVERAGE=1` prints it last."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import coverage
from rich.console import Console
from rich.table import Table

WANTED = 0.85  # of the branches
# Rooms that may have less, and why.
REASONS: dict[str, str] = {}
Counts = tuple[int, int, int, int]  # statements, reached ones, branches, reached ones


def room_of(path: str) -> str:
    """The package that a file is in, one folder deep: components/common, or pipeline."""
    folders = PurePosixPath(path).parent.parts
    return "/".join(folders[:2])


def count_rooms(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Counts]:
    """Adds up the files of coverage's JSON report by room."""
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for path, measured in files.items():
        found = measured["summary"]
        for index, name in enumerate(("num_statements", "covered_lines", "num_branches", "covered_branches")):
            rooms[room_of(path)][index] += found[name]
    return {room: (counts[0], counts[1], counts[2], counts[3]) for room, counts in sorted(rooms.items())}


def share(reached: int, there: int) -> float:
    return reached / there if there else 1.0


def below(rooms: Mapping[str, Counts]) -> list[str]:
    """Rooms with fewer branches reached than wanted, and no reason given."""
    return [
        room for room, (_, _, there, reached) in rooms.items() if share(reached, there) < WANTED and room not in REASONS
    ]


def table_of(rooms: Mapping[str, Counts]) -> Table:
    table = Table("room", "lines", "reached", "branches", "reached", "why less than wanted", box=None)
    for room, (lines, reached_lines, branches, reached) in rooms.items():
        why = REASONS.get(room, "[bold]needs tests, or a reason[/bold]") if share(reached, branches) < WANTED else ""
        table.add_row(
            room,
            str(lines),
            f"{share(reached_lines, lines):.0%}",
            str(branches),
            f"{share(reached, branches):.0%}",
            why,
        )
    return table


def main() -> None:
    """Prints a row a room."""
    measured = coverage.Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        measured.json_report(outfile=str(report))
        rooms = count_rooms(json.loads(report.read_text())["files"])
    console = Console(width=120)
    console.print(table_of(rooms))
    console.print(f"below {WANTED:.0%} of the branches, without a reason: {', '.join(below(rooms)) or 'no room'}")


if __name__ == "__main__":
    main()
