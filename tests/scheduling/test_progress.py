"""What a person sees during and after a run that was asked for: its lines, and times in the schedule's zone."""

import json
import threading
from datetime import UTC, date, datetime

from pipeline.scheduling.attempts import Kind
from pipeline.scheduling.follow import Follower
from pipeline.scheduling.notes import day_start
from tests.scheduling.helpers import REFUSED, until

BERLIN = "schedule.timezone=Europe/Berlin"


def test_the_lines_of_a_run_are_shown_while_it_runs(stand_in):
    stand_in.add_day("2026-03-01")
    (stand_in.folder / "run.py").write_text(
        "import pathlib, sys, time\n"
        "print('[ 1/14] ImageExampleGen', flush=True)\n"
        "gate = pathlib.Path(sys.argv[1], 'go on')\n"
        "while not gate.exists(): time.sleep(0.05)\n"
        "print('error: no space left')\n"
        "sys.exit(2)\n"
    )
    shown: list[str] = []
    attendant = stand_in.attendant(show=shown.append)
    run = threading.Thread(target=attendant.deal_with, args=(Kind.TRIGGERED, stand_in.clock()))
    run.start()
    until(lambda: shown == ["[ 1/14] ImageExampleGen"])
    (stand_in.folder / "go on").touch()
    run.join()
    assert shown == ["[ 1/14] ImageExampleGen", "error: no space left"]
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
    attendant = stand_in.attendant(BERLIN)
    slot = day_start(attendant.config, date(2024, 5, 2))
    done = attendant.deal_with(Kind.BACKFILL, slot, "2024-05-02")
    assert done.slot == datetime(2024, 5, 1, 22, tzinfo=UTC)
    assert stand_in.lines[-1].startswith("2026-03-01 13:00 CET, backfill of 2024-05-02: refused: ")
    (row,) = json.loads((attendant.store.folder / "history.json").read_text())
    assert (row["due"], row["slot"]) == ("2024-05-02 00:00 CEST", "2024-05-01T22:00:00+00:00")
