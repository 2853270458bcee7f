"""The schedule reads its facts from exit statuses, events and records: in other words it comes to the same verdicts."""

import os
import subprocess
import sys

from tests.rewording import reword_rooms

# A schedule over runs that report as `effnet run` does, each with its status and error, all from the reworded rooms.
SCENARIO = """
import datetime, json, sys
from pathlib import Path
from components.common import events
from pipeline.execution.progress import StepDisplay
from pipeline.schedule.coordinator import Coordinator
from pipeline.schedule.attempts import Kind
from pipeline.terminal import make_console

folder, said = Path(sys.argv[1]), []
(folder / "run.py").write_text(
    "import sys\\nfrom components.common.events import RunEnded, StepStarted, emit, write_where_asked\\n"
    "write_where_asked()\\nemit(StepStarted('Trainer'))\\n"
    "emit(RunEnded(int(open(sys.argv[1]).read()), 'error: pushed refused unchanged'))\\n"
    "sys.exit(int(open(sys.argv[1]).read()))"
)
now = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
command = (sys.executable, "-P", str(folder / "run.py"), str(folder / "status"))
coordinator = Coordinator(folder / "pipeline.yaml", clock=lambda: now, say=said.append, command=command)
for day, status in enumerate((1, 2, 3, 4), start=1):
    (folder / "status").write_text(str(status))
    (folder / "photos" / f"2026-03-0{day}" / "daisy").mkdir(parents=True)
    (folder / "photos" / f"2026-03-0{day}" / "rose").mkdir()
    for name in ("daisy", "rose"):
        (folder / "photos" / f"2026-03-0{day}" / name / "0.jpg").write_text(f"{day} {name}")
    coordinator.deal_with(Kind.BACKFILL, now, f"2026-03-0{day}")
coordinator.deal_with(Kind.BACKFILL, now, "2026-03-09")
console = make_console(record=True, file=open(folder / "screen", "w"))
with StepDisplay(console, ["Tuner", "Trainer"]):
    for event in (events.StepStarted("Trainer"), events.StepEnded("Trainer", True)):
        events.emit(event)
attempts = coordinator.store.attempts()
print(json.dumps([[a.verdict, a.attempt, a.settled, a.images] for a in attempts]))
print(console.export_text().split())
"""


def test_an_outcome_is_told_by_status_and_record_and_not_by_words(stand_in, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    reword_rooms(elsewhere)
    results, logs = [], []
    for number, rooms in enumerate(("", str(elsewhere))):
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = (stand_in.folder / "pipeline.yaml").read_text()
        (folder / "pipeline.yaml").write_text(settings.replace("'0 2 * * *'", "'0 2 * * *', retries: {times: 0}"))
        done = subprocess.run(
            [sys.executable, "-P", "-c", SCENARIO, str(folder)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": rooms},
        )
        assert done.returncode == 0, done.stderr
        results.append(done.stdout)
        logs.append((folder / "build" / "flowers" / "schedule" / "history.json").read_text())
    assert results[0] == results[1]
    assert all(verdict in results[0] for verdict in ('"failed"', '"refused"', '"missing data"'))
    assert "the span" in logs[0] and "eht naps" in logs[1], "the words are other ones"
