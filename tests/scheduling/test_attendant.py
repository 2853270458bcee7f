"""What the attendant makes of runs that fail, hang, are killed or are refused; the runs are stand-ins."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.scheduling import attendant as attendant_module
from pipeline.scheduling import launcher, turns
from pipeline.scheduling.attempts import Attempt, Kind, Verdict
from pipeline.scheduling.child import run_child
from pipeline.scheduling.notes import note_of
from pipeline.scheduling.store import Store
from pipeline.scheduling.turns import Busy

FAILED = (1, "error: the disk is full")
REFUSED = (4, "error: the data is not fit to train on: brightness drifted")


def verdicts(attendant) -> list[str]:
    return [attempt.verdict for attempt in attendant.store.attempts()]


def left_running(attendant, slot, kind: Kind) -> Attempt:
    """The note of an attempt whose scheduler died with it."""
    note = note_of(attendant.config, attendant.clock(), slot, kind, Verdict.RUNNING, "4 new images")
    return attendant.store.note(replace(note, attempt=1, settled=False, ended=None))


@contextmanager
def held(folder: Path, name: str):
    """Another process that holds a lock until it is killed."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom pipeline.run_lock import hold\n"
        "with hold(Path(sys.argv[1]), sys.argv[2]):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(folder), name], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()


def until(there, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_night_without_images_is_noted_and_nothing_is_run(stand_in):
    stand_in.add_day("2026-03-01")
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    (noted,) = attendant.store.attempts()
    assert (noted.verdict, noted.attempt) == (Verdict.MISSING_DATA, 0)
    assert "got no folder for the span 2026-03-02 (there are 2026-03-01)" in noted.why
    assert stand_in.calls() == []
    attendant.attend()
    assert len(attendant.store.attempts()) == 1


def test_a_run_that_fails_is_retried_with_the_same_settings_and_told_of_once(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(FAILED, FAILED, REFUSED)
    attendant = stand_in.attendant("schedule.retries.wait=10m", "schedule.window=1", "schedule.tune_when={every: 3}")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    made = attendant.store.attempts()
    assert [(one.verdict, one.attempt, one.settled) for one in made] == [
        (Verdict.FAILED, 1, False),
        (Verdict.FAILED, 2, False),
        (Verdict.REFUSED, 3, True),
    ]
    assert [one.why for one in made] == ["the disk is full"] * 2 + [REFUSED[1].removeprefix("error: ")]
    assert [one.started.strftime("%H:%M") for one in made] == ["02:00", "02:10", "02:30"]
    first, second, third = stand_in.calls()
    assert first == second == third
    for setting in ('data.span.last="2026-03-02"', "data.span.window=1", 'tune.when={"every": 3}'):
        assert setting in first
    assert [bool(one.alert) for one in made] == [False, False, True]


def test_images_that_a_run_has_judged_are_not_new_the_next_night_under_whatever_name(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED, REFUSED)
    # A served model, or every night would be worth a run.
    served = stand_in.folder / "build" / "flowers" / "served" / "1"
    served.mkdir(parents=True)
    (served / "saved_model.pb").write_bytes(b"a model")
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    stand_in.add_day("2026-03-03", content="2026-03-02")
    stand_in.clock.at(2026, 3, 3, 2, 0)
    attendant.attend()
    assert verdicts(attendant) == [Verdict.REFUSED, Verdict.NOTHING_NEW]
    assert attendant.store.attempts()[-1].why == "0 new images, 1 start a run"
    stand_in.add_day("2026-03-04")
    # The same image in another class is a corrected label.
    (stand_in.folder / "photos" / "2026-03-04" / "rose" / "0.jpg").write_text("2026-03-02 daisy 0")
    stand_in.clock.at(2026, 3, 4, 2, 0)
    attendant.attend()
    newest = attendant.store.attempts()[-1]
    assert (newest.verdict, newest.new_images, newest.images) == (Verdict.REFUSED, 4, 4)


def test_a_wrong_setting_is_not_retried(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan((2, "error: pipeline.yaml line 3: train.epochz: unknown key"))
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    (made,) = attendant.store.attempts()
    assert (made.verdict, made.settled, made.why) == (
        Verdict.FAILED,
        True,
        "pipeline.yaml line 3: train.epochz: unknown key",
    )


def test_a_run_beyond_its_time_limit_ends_with_all_its_children(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""))
    attendant = stand_in.attendant("schedule.time_limit=2s", "schedule.retries.times=0")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    (made,) = attendant.store.attempts()
    assert made.verdict is Verdict.TIMED_OUT
    assert "schedule.time_limit, 2s" in made.why
    assert not alive(int((stand_in.folder / "child").read_text()))


def test_a_killed_run_and_a_killed_attendant_are_both_told_apart_and_gone_on_with(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""), ("work", ""), REFUSED)
    attendant = stand_in.attendant("schedule.retries.wait=1m")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)

    def kill_the_run() -> None:
        until((stand_in.folder / "child").exists)
        (running,) = attendant.store.attempts()
        os.killpg(running.process, signal.SIGKILL)
        (stand_in.folder / "child").unlink()
        until((stand_in.folder / "child").exists)
        attendant.stop.set()  # what SIGTERM does

    killer = threading.Thread(target=kill_the_run)
    killer.start()
    attendant.attend()
    killer.join()
    assert verdicts(attendant) == [Verdict.KILLED, Verdict.INTERRUPTED]
    assert "SIGKILL" in attendant.store.attempts()[0].why
    stand_in.clock.at(2026, 3, 2, 8, 0)
    stand_in.attendant("schedule.retries.wait=1m").attend()
    assert verdicts(attendant) == [Verdict.KILLED, Verdict.INTERRUPTED, Verdict.REFUSED]


def test_an_attempt_that_died_with_its_attendant_is_closed_and_tried_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    slot = stand_in.clock.now.replace(day=2, hour=2)
    left_running(attendant, slot, Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 2, 9, 0)
    attendant.attend()
    assert [(one.verdict, one.attempt) for one in attendant.store.attempts()] == [
        (Verdict.KILLED, 1),
        (Verdict.REFUSED, 2),
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("none", [Verdict.MISSED]),
        ("latest", [Verdict.MISSED, Verdict.REFUSED]),
        ("all", [Verdict.REFUSED, Verdict.MISSING_DATA, Verdict.REFUSED]),
    ],
)
def test_three_nights_of_downtime(stand_in, policy, expected):
    stand_in.add_day("2026-03-02")
    stand_in.add_day("2026-03-04")
    stand_in.plan(REFUSED, REFUSED, REFUSED)
    attendant = stand_in.attendant(f"schedule.catch_up={policy}")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 4, 20, 0)
    attendant.attend()
    assert verdicts(attendant) == expected
    spans = [one.span for one in attendant.store.attempts() if one.verdict is Verdict.REFUSED]
    assert spans == {"none": [], "latest": ["2026-03-04"], "all": ["2026-03-02", "2026-03-04"]}[policy]


def test_nothing_is_started_while_paused_and_not_made_up_for(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant("schedule.catch_up=all")
    attendant.begin(stand_in.clock())
    attendant.store.keep("paused", "yes")
    stand_in.clock.at(2026, 3, 2, 3, 0)
    attendant.attend()
    attendant.store.keep("paused", "")
    attendant.attend()
    assert attendant.store.attempts() == []


def test_another_cron_expression_does_not_count_from_the_old_one_s_last_time(stand_in):
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    stand_in.clock.at(2026, 3, 2, 12, 0)
    hourly = stand_in.attendant("schedule.cron='0 * * * *'", "schedule.catch_up=all")
    hourly.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 13, 0)
    hourly.attend()
    slots = [attempt.slot.hour for attempt in hourly.store.attempts()]
    assert slots == [2, 13]


def test_what_a_person_asks_for_while_another_process_attends_is_refused(stand_in):
    attendant = stand_in.attendant()
    with held(attendant.store.folder, "attempt") as holder, pytest.raises(Busy, match=f"process {holder.pid} since"):
        attendant.deal_with(Kind.TRIGGERED, stand_in.clock())


@pytest.mark.parametrize("by_hand", [False, True], ids=["trigger", "effnet run"])
def test_a_time_that_comes_while_another_run_is_under_way_is_dealt_with_after_it(stand_in, monkeypatch, by_hand):
    monkeypatch.setattr(turns, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(launcher, "LOOK_SECONDS", 0.1)
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    folder, lock = (attendant.config.run_root, "run") if by_hand else (attendant.store.folder, "attempt")
    with held(folder, lock) as holder:
        waiting = threading.Thread(target=attendant.attend)
        waiting.start()
        until(lambda: any(f"process {holder.pid} since" in line for line in stand_in.lines))
        assert stand_in.calls() == []
        holder.kill()
        waiting.join(30)
    assert verdicts(attendant) == [Verdict.REFUSED]


def test_of_several_that_wait_for_their_turn_one_is_enough(stand_in):
    stand_in.add_day("2026-03-02")
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    with held(attendant.store.folder, "attempt"), held(attendant.store.folder, "waiting"):
        attendant.attend()
    assert attendant.store.attempts() == []


def test_a_stop_ends_the_wait_for_ones_turn(stand_in):
    attendant = stand_in.attendant()
    with held(attendant.store.folder, "attempt"):
        attendant.stop.set()
        attendant.attend()
        with pytest.raises(turns.Stopped):
            attendant.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert attendant.store.attempts() == []


def test_a_disk_that_is_gone_is_a_failure_that_is_retried_and_told(stand_in, monkeypatch):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant("schedule.retries={times: 2, wait: 5m}")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    looks, look_at = [], attendant_module.look_at

    def gone_twice(*arguments):  # no test can take a network drive away
        looks.append(stand_in.clock().strftime("%H:%M"))
        if len(looks) <= 2:
            raise OSError(116, "Stale file handle")
        return look_at(*arguments)

    monkeypatch.setattr(attendant_module, "look_at", gone_twice)
    attendant.attend()
    made = attendant.store.attempts()
    assert [(one.verdict, one.attempt, one.settled) for one in made] == [
        (Verdict.FAILED, 1, False),
        (Verdict.FAILED, 2, False),
        (Verdict.REFUSED, 3, True),
    ]
    assert made[0].why == "OSError: [Errno 116] Stale file handle"
    assert looks == ["02:00", "02:05", "02:15"]


def test_metadata_that_cannot_be_read_is_a_failure_with_its_traceback_in_the_log(stand_in):
    stand_in.add_day("2026-03-02")
    attendant = stand_in.attendant("schedule.retries.times=0")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.config.metadata_path.write_bytes(b"no database" * 1000)
    attendant.attend()
    (made,) = attendant.store.attempts()
    assert (made.verdict, made.settled) == (Verdict.FAILED, True)
    assert "\n" not in made.why and made.log in made.why
    assert "Traceback" in Path(made.log).read_text()


@pytest.mark.parametrize("kind", [Kind.TRIGGERED, Kind.BACKFILL])
def test_what_a_person_asked_for_and_a_crash_ended_is_settled_and_told(stand_in, kind):
    attendant = stand_in.attendant("schedule.retries.times=5")
    left_running(attendant, stand_in.clock(), kind)
    stand_in.attendant().attend()
    (made,) = attendant.store.attempts()
    assert (made.verdict, made.settled) == (Verdict.KILLED, True)
    assert made.alert
    assert "type the command again" in made.why


def test_a_backfill_that_a_crash_ended_goes_on_when_it_is_asked_for_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant()
    slot = stand_in.clock.now.replace(day=2, hour=0)
    left_running(attendant, slot, Kind.BACKFILL)
    done = attendant.deal_with(Kind.BACKFILL, slot, "2026-03-02")
    assert (done.verdict, done.attempt) == (Verdict.REFUSED, 2)


def test_a_time_of_airflow_s_that_a_crash_ended_is_settled_with_the_next_one(stand_in):
    stand_in.add_day("2026-03-03")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant()
    first = stand_in.clock.now.replace(day=2, hour=2)
    left_running(attendant, first, Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 3, 2, 0)
    done = attendant.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert (done.verdict, done.attempt) == (Verdict.REFUSED, 1)
    left, given_up, _ = attendant.store.attempts()
    assert (left.settled, given_up.settled, given_up.slot) == (False, True, first)
    assert given_up.why.endswith("2026-03-03 02:00 is due")


def test_a_pause_holds_for_airflow_s_times_as_well(stand_in):
    stand_in.add_day("2026-03-01")
    attendant = stand_in.attendant()
    attendant.store.keep("paused", "2026-02-28 12:00 UTC")
    done = attendant.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert (done.verdict, done.settled) == (Verdict.MISSED, True)
    assert "paused since 2026-02-28 12:00 UTC" in done.why
    assert stand_in.calls() == []


def test_a_retry_that_catch_up_none_gives_up_says_why(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(("work", ""))
    attendant = stand_in.attendant("schedule.catch_up=none")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    left_running(attendant, stand_in.clock(), Kind.SCHEDULED)
    stand_in.clock.at(2026, 3, 3, 20, 0)
    attendant.attend()
    _, given_up, missed = attendant.store.attempts()
    assert given_up.why.endswith("while it ran; newer times have passed")
    assert missed.verdict is Verdict.MISSED


def test_a_broken_pipeline_yaml_is_said_once(stand_in):
    attendant = stand_in.attendant()
    whole = (stand_in.folder / "pipeline.yaml").read_text()
    (stand_in.folder / "pipeline.yaml").write_text(whole + "scheduel: {}\n")
    for _ in range(3):
        attendant.reload()
    assert [line.startswith("error: pipeline.yaml line") for line in stand_in.lines] == [True]
    (stand_in.folder / "pipeline.yaml").write_text(whole)
    attendant.reload()
    assert len(stand_in.lines) == 1


def test_a_backfilled_span_is_read_as_its_newest_and_found_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.add_day("2026-03-09")
    stand_in.plan(REFUSED)
    attendant = stand_in.attendant()
    done = attendant.deal_with(Kind.BACKFILL, stand_in.clock.now.replace(day=2, hour=0), "2026-03-02")
    assert (done.verdict, done.spans, done.kind) == (Verdict.REFUSED, ("2026-03-02",), Kind.BACKFILL)
    assert attendant.judged_span(done.slot, "2026-03-02").id == done.id
    assert attendant.judged_span(done.slot, "2026-03-09") is None
    (stand_in.folder / "photos" / "2026-03-02" / "rose" / "0.jpg").write_text("a corrected one")
    assert attendant.judged_span(done.slot, "2026-03-02") is None


def test_the_report_s_copy_of_the_history_is_plain_json(stand_in):
    attendant = stand_in.attendant()
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    rows = json.loads((attendant.store.folder / "history.json").read_text(encoding="utf-8"))
    assert [row["verdict"] for row in rows] == ["missing data"]


def test_a_store_gives_back_what_was_noted(stand_in):
    attendant = stand_in.attendant()
    note = note_of(attendant.config, attendant.clock(), attendant.clock(), Kind.TRIGGERED, Verdict.REFUSED, "Ünfit")
    noted = attendant.store.note(replace(note, told=("Slack 1",), spans=("2026-03-01",)))
    again = Store(attendant.config.run_root).attempts()
    assert again == [noted]
    assert again[0].id == 1


def test_a_child_that_ends_by_itself_leaves_nobody_behind(tmp_path):
    program = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    log = tmp_path / "log"
    ended = run_child([sys.executable, "-c", program], log, timedelta(minutes=1), threading.Event(), lambda pid: None)
    assert (ended.code, ended.by) == (0, "itself")
    assert not alive(int(log.read_text()))
