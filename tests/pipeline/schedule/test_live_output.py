"""What a person sees during and after a run that was asked for: its lines, and times in the schedule's zone."""

import json
import threading
from datetime import UTC, date, datetime

from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind
from pipeline.schedule.log_follower import Follower
from pipeline.schedule.notes import day_start
from tests.pipeline.schedule.helpers import REFUSED, schedule, until

BERLIN = "schedule.timezone=Europe/Berlin"


def test_the_lines_of_a_run_are_shown_while_it_runs(stand_in):
    stand_in.add_day("2026-03-01")
    (stand_in.folder / "run.py").write_text(
        "import json, os, pathlib, sys, time\n"
        "print('[ 1/14] ImageExampleGen', flush=True)\n"
        "gate = pathlib.Path(sys.argv[1], 'go on')\n"
        "while not gate.exists(): time.sleep(0.05)\n"
        "print('a farewell that says nothing of what happened')\n"
        "ended = {'kind': 'RunEnded', 'status': 2, 'error': 'no space left'}\n"
        "pathlib.Path(os.environ['EFFNET_EVENTS']).write_text(json.dumps(ended) + '\\n')\n"
        "sys.exit(2)\n"
    )
    shown: list[str] = []
    coordinator = stand_in.coordinator(show=shown.append)
    run = threading.Thread(target=coordinator.deal_with, args=(Kind.TRIGGERED, stand_in.clock()))
    run.start()
    until(lambda: shown == ["[ 1/14] ImageExampleGen"])
    (stand_in.folder / "go on").touch()
    run.join()
    assert shown == ["[ 1/14] ImageExampleGen", "a farewell that says nothing of what happened"]
    assert stand_in.lines[-1] == "2026-03-01 12:00 UTC: failed: no space left"


def test_a_line_is_shown_once_it_is_whole(tmp_path):
    lines: list[str] = []
    path = tmp_path / "log"
    follow = Follower(path, lines.append)
    with path.open("wb", buffering=0) as log:
        for part, there in ((b"on", []), (b"e\nna\xc3", ["one"]), (b"\xafve\n", ["one", "na\u00efve"])):
            log.write(part)
            follow()
            assert lines == there


def test_times_are_told_in_the_schedule_s_zone_and_kept_in_utc(stand_in):
    stand_in.add_day("2024-05-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator(BERLIN)
    slot = day_start(coordinator.config, date(2024, 5, 2))
    done = coordinator.deal_with(Kind.BACKFILL, slot, "2024-05-02")
    assert done.slot == datetime(2024, 5, 1, 22, tzinfo=UTC)
    assert stand_in.lines[-1].startswith("2026-03-01 13:00 CET, backfill of 2024-05-02: refused: ")
    (row,) = json.loads((coordinator.store.folder / "history.json").read_text())
    assert (row["due"], row["slot"]) == ("2024-05-02 00:00 CEST", "2024-05-01T22:00:00+00:00")


def test_the_history_fits_a_terminal_of_80_columns_and_cuts_nothing(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan((4, "error: " + " ".join(f"reason{number}" for number in range(30))))
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    done = schedule(stand_in.folder, "history", columns=80)
    words = done.stdout.split()
    assert [f"reason{number}" in words for number in range(30)] == [True] * 30
    assert {"2026-03-02", "02:00", "UTC", "result"} <= set(words) and "spans" not in words
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert len(done.stdout.splitlines()) < 12


def test_a_run_that_the_schedule_ended_is_reported_with_its_reason(stand_in):
    store, now = stand_in.coordinator().store, stand_in.clock()
    why = "took longer than schedule.time_limit, 1h"
    store.note(Attempt(now, Kind.SCHEDULED, 1, AttemptVerdict.TIMED_OUT, why, True, now, now, run=3))
    assert store.why_stopped(3) == f"timed out: {why}"
    assert store.why_stopped(4) == ""


def test_without_cron_nothing_is_suggested_that_refuses(stand_in):
    shown = schedule(stand_in.folder, "list", "--set", "schedule.cron=null").stdout
    assert "schedule.cron is null; `effnet schedule trigger` runs now" in shown
    assert "schedule start" not in shown
