"""What the coordinator makes of runs that fail or are refused, and of times that passed; the runs are stand-ins."""

import json
from dataclasses import replace

import pytest

from pipeline.schedule.attempts import AttemptVerdict, Kind
from pipeline.schedule.database import AttemptDatabase
from pipeline.schedule.notes import note_of
from tests.pipeline.schedule.helpers import REFUSED, verdicts

FAILED = (1, "error: the disk is full")


def test_a_night_without_images_is_noted_and_nothing_is_run(stand_in):
    stand_in.add_day("2026-03-01")
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    (noted,) = coordinator.store.attempts()
    assert (noted.verdict, noted.attempt) == (AttemptVerdict.MISSING_DATA, 0)
    assert "got no folder for the span 2026-03-02 (there are 2026-03-01)" in noted.why
    assert stand_in.calls() == []
    coordinator.attend()
    assert len(coordinator.store.attempts()) == 1


def test_a_run_that_fails_is_retried_with_the_same_settings_and_told_of_once(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(FAILED, FAILED, REFUSED)
    coordinator = stand_in.coordinator(
        "schedule.retries.wait=10m", "schedule.window=1", "schedule.tune_when={every: 3}"
    )
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    made = coordinator.store.attempts()
    assert [(one.verdict, one.attempt, one.settled) for one in made] == [
        (AttemptVerdict.FAILED, 1, False),
        (AttemptVerdict.FAILED, 2, False),
        (AttemptVerdict.REFUSED, 3, True),
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
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    stand_in.add_day("2026-03-03", content="2026-03-02")
    stand_in.clock.at(2026, 3, 3, 2, 0)
    coordinator.attend()
    assert verdicts(coordinator) == [AttemptVerdict.REFUSED, AttemptVerdict.NOTHING_NEW]
    assert coordinator.store.attempts()[-1].why == "0 new images, at least 1 needed"
    stand_in.add_day("2026-03-04")
    # The same image in another class is a corrected label.
    (stand_in.folder / "photos" / "2026-03-04" / "rose" / "0.jpg").write_text("2026-03-02 daisy 0")
    stand_in.clock.at(2026, 3, 4, 2, 0)
    coordinator.attend()
    newest = coordinator.store.attempts()[-1]
    assert (newest.verdict, newest.new_images, newest.images) == (AttemptVerdict.REFUSED, 4, 4)


def test_a_wrong_setting_is_not_retried(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan((2, "error: pipeline.yaml line 3: train.epochz: unknown key"))
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    (made,) = coordinator.store.attempts()
    assert (made.verdict, made.settled, made.why) == (
        AttemptVerdict.FAILED,
        True,
        "pipeline.yaml line 3: train.epochz: unknown key",
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("none", [AttemptVerdict.MISSED]),
        ("latest", [AttemptVerdict.MISSED, AttemptVerdict.REFUSED]),
        ("all", [AttemptVerdict.REFUSED, AttemptVerdict.MISSING_DATA, AttemptVerdict.REFUSED]),
    ],
)
def test_three_nights_of_downtime(stand_in, policy, expected):
    stand_in.add_day("2026-03-02")
    stand_in.add_day("2026-03-04")
    stand_in.plan(REFUSED, REFUSED, REFUSED)
    coordinator = stand_in.coordinator(f"schedule.catch_up={policy}")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 4, 20, 0)
    coordinator.attend()
    assert verdicts(coordinator) == expected
    spans = [one.span for one in coordinator.store.attempts() if one.verdict is AttemptVerdict.REFUSED]
    assert spans == {"none": [], "latest": ["2026-03-04"], "all": ["2026-03-02", "2026-03-04"]}[policy]


def test_nothing_is_started_while_paused_and_not_made_up_for(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator("schedule.catch_up=all")
    coordinator.begin(stand_in.clock())
    coordinator.store.keep("paused", "yes")
    stand_in.clock.at(2026, 3, 2, 3, 0)
    coordinator.attend()
    coordinator.store.keep("paused", "")
    coordinator.attend()
    assert coordinator.store.attempts() == []


def test_another_cron_expression_does_not_count_from_the_old_one_s_last_time(stand_in):
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    stand_in.clock.at(2026, 3, 2, 12, 0)
    hourly = stand_in.coordinator("schedule.cron='0 * * * *'", "schedule.catch_up=all")
    hourly.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 13, 0)
    hourly.attend()
    slots = [attempt.slot.hour for attempt in hourly.store.attempts()]
    assert slots == [2, 13]


def test_a_broken_pipeline_yaml_is_said_once(stand_in):
    coordinator = stand_in.coordinator()
    whole = (stand_in.folder / "pipeline.yaml").read_text()
    (stand_in.folder / "pipeline.yaml").write_text(whole + "scheduel: {}\n")
    for _ in range(3):
        coordinator.reload()
    assert [line.startswith("error: pipeline.yaml line") for line in stand_in.lines] == [True]
    (stand_in.folder / "pipeline.yaml").write_text(whole)
    coordinator.reload()
    assert len(stand_in.lines) == 1


def test_a_backfilled_span_is_read_as_its_newest_and_found_again(stand_in):
    stand_in.add_day("2026-03-02")
    stand_in.add_day("2026-03-09")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator()
    done = coordinator.deal_with(Kind.BACKFILL, stand_in.clock.now.replace(day=2, hour=0), "2026-03-02")
    assert (done.verdict, done.spans, done.kind) == (AttemptVerdict.REFUSED, ("2026-03-02",), Kind.BACKFILL)
    assert coordinator.judged_span(done.slot, "2026-03-02").id == done.id
    assert coordinator.judged_span(done.slot, "2026-03-09") is None
    (stand_in.folder / "photos" / "2026-03-02" / "rose" / "0.jpg").write_text("a corrected one")
    assert coordinator.judged_span(done.slot, "2026-03-02") is None


def test_the_report_s_copy_of_the_history_is_plain_json(stand_in):
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    rows = json.loads((coordinator.store.folder / "history.json").read_text(encoding="utf-8"))
    assert [row["verdict"] for row in rows] == ["missing data"]


def test_a_store_gives_back_what_was_noted(stand_in):
    coordinator = stand_in.coordinator()
    note = note_of(
        coordinator.config, coordinator.clock(), coordinator.clock(), Kind.TRIGGERED, AttemptVerdict.REFUSED, "Ünfit"
    )
    noted = coordinator.store.note(replace(note, told=("Slack 1",), spans=("2026-03-01",)))
    again = AttemptDatabase(coordinator.config.run_root).attempts()
    assert again == [noted]
    assert again[0].id == 1


def test_a_clock_that_was_a_year_ahead_does_not_hold_the_schedule_up(stand_in):
    stand_in.clock.at(2027, 3, 1, 12)
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2027, 3, 2, 2)
    coordinator.attend()
    assert len(coordinator.store.attempts()) == 1
    stand_in.clock.at(2026, 3, 1, 12)
    coordinator.attend()
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    stand_in.clock.at(2026, 3, 2, 2)
    coordinator.attend()
    assert [one.verdict for one in coordinator.store.attempts()] == [
        AttemptVerdict.MISSING_DATA,
        AttemptVerdict.REFUSED,
    ]


def test_a_clock_set_back_by_hours_makes_no_time_come_twice(stand_in):
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    for hour in (2, 3):
        stand_in.clock.at(2026, 3, 2, hour)
        coordinator.attend()
    stand_in.clock.at(2026, 3, 2, 0)
    coordinator.attend()
    stand_in.clock.at(2026, 3, 2, 2)
    coordinator.attend()
    assert len(coordinator.store.attempts()) == 1
