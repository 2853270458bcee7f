"""What the attendant makes of runs that fail or are refused, and of times that passed; the runs are stand-ins."""

import json
from dataclasses import replace

import pytest

from pipeline.schedule.attempts import Kind, Verdict
from pipeline.schedule.database import Store
from pipeline.schedule.notes import note_of
from tests.pipeline.schedule.helpers import REFUSED, verdicts

FAILED = (1, "error: the disk is full")


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
    assert attendant.store.attempts()[-1].why == "0 new images, a run starts at 1"
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
