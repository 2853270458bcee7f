"""A project whose runs are stand-ins: a script that ends as it is told, for what takes no training to show."""

import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.schedule.coordinator import Coordinator
from tests.pipeline.schedule.helpers import CONFIG

# Takes the next line of `plan`: an exit status and what to print, or how long to work with a child of its own.
STAND_IN = """
import json, os, pathlib, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
plan = folder / "plan"
code, words = json.loads(plan.read_text()).pop(0)
plan.write_text(json.dumps(json.loads(plan.read_text())[1:]))
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[2:]) + "\\n")
if code == "work":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "child").write_text(str(child.pid))
    time.sleep(600)
print(words)
with open(os.environ["EFFNET_EVENTS"], "a") as events:
    events.write(json.dumps({"kind": "RunEnded", "status": code, "error": words.removeprefix("error: ")}) + "\\n")
sys.exit(code)
"""


class Clock:
    """A clock that moves when it is waited for, or told to."""

    def __init__(self, now: datetime.datetime):
        self.now = now

    def __call__(self) -> datetime.datetime:
        return self.now

    def wait(self, until: datetime.datetime) -> None:
        self.now = max(self.now, until)

    def at(self, *moment: int) -> None:
        self.now = datetime.datetime(*moment, tzinfo=datetime.UTC)


@dataclass
class StandIn:
    """A project in a folder, its clock, and what its runs are told to do."""

    folder: Path
    clock: Clock
    lines: list[str]

    def add_day(self, day: str, images: int = 2, content: str = "") -> None:
        for name in ("daisy", "rose"):
            (self.folder / "photos" / day / name).mkdir(parents=True)
            for number in range(images):
                path = self.folder / "photos" / day / name / f"{number}.jpg"
                path.write_text(f"{content or day} {name} {number}")

    def plan(self, *ends: tuple[int | str, str]) -> None:
        (self.folder / "plan").write_text(json.dumps(ends))

    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def coordinator(self, *overrides: str, show: Callable[[str], None] | None = None) -> Coordinator:
        return Coordinator(
            self.folder / "pipeline.yaml",
            overrides,
            clock=self.clock,
            wait=self.clock.wait,
            say=self.lines.append,
            show=show,
            command=(sys.executable, str(self.folder / "run.py"), str(self.folder)),
        )


@pytest.fixture
def stand_in(tmp_path) -> StandIn:
    """Nightly at two, over spans of days, in UTC."""
    (tmp_path / "pipeline.yaml").write_text(
        "name: flowers\n"
        "data: {path: 'photos/{SPAN}', span: {last: today}}\n"
        "evaluate: {min_accuracy: 0.5, max_accuracy_drop: 0.0}\n"
        "schedule: {cron: '0 2 * * *'}\n"
        "runners: {local: {root: build}}\n"
    )
    (tmp_path / "run.py").write_text(STAND_IN)
    (tmp_path / "photos").mkdir()
    return StandIn(tmp_path, Clock(datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)), [])


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    (tmp_path / "photos").mkdir()
    return tmp_path
