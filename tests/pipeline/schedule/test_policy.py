"""When a run is due and whether it is worth it, under a controlled clock."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schedule import OnlyIf, Retries, ScheduleSettings
from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind
from pipeline.schedule.due_times import due_times, next_times
from pipeline.schedule.policy import GRACE, Action, decide, decide_again, line_up

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = ScheduleSettings(cron="30 2 * * *", timezone="Europe/Berlin")
HOURLY = ScheduleSettings(cron="0 * * * *", timezone="Europe/Berlin")
NOW = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@dataclass
class Found:
    missing: str = ""
    new_images: int = 0
    served_since: datetime | None = NOW - timedelta(days=3)
    by_feature: dict | None = field(default_factory=dict)

    def drift(self):
        return self.by_feature


def attempt(verdict: AttemptVerdict, ended: datetime = NOW, settled: bool = False) -> Attempt:
    return Attempt(NOW, Kind.SCHEDULED, 1, verdict, "why", settled, ended - timedelta(minutes=3), ended)


def berlin(*moment: int, fold: int = 0) -> datetime:
    return datetime(*moment, tzinfo=BERLIN, fold=fold)


def local(times) -> list[str]:
    return [f"{time.astimezone(BERLIN):%m-%d %H:%M%z}" for time in times]


def test_a_night_whose_hour_is_left_out_has_its_run_all_the_same():
    times = due_times(NIGHTLY, berlin(2026, 3, 27, 12), berlin(2026, 3, 30, 12))
    assert local(times) == ["03-28 02:30+0100", "03-29 03:00+0200", "03-30 02:30+0200"]


def test_a_night_whose_hour_comes_twice_has_one_run():
    times = due_times(NIGHTLY, berlin(2026, 10, 24, 12), berlin(2026, 10, 26, 12))
    assert local(times) == ["10-25 02:30+0200", "10-26 02:30+0100"]


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 5, 1), 24)])
def test_every_hour_of_a_day_has_its_run_once(day, hours):
    start = berlin(*day, 0, 30)
    times = due_times(HOURLY, start, start.astimezone(UTC) + timedelta(hours=hours))
    assert len(times) == hours
    assert len({time.astimezone(UTC) for time in times}) == hours


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 * * * *", "0,30 1-3 * * *", "*/20 2 * * *", "15 2,14 * * 0"])
@settings(deadline=None)
@given(days=st.sampled_from([(2026, 3, 29), (2026, 10, 25)]), seconds=st.integers(0, 86_400))
def test_a_scheduler_that_starts_at_any_moment_of_such_a_day_fires_each_time_once_and_none_that_passed(
    cron, days, seconds
):
    settings = ScheduleSettings(cron=cron, timezone="Europe/Berlin")
    start = berlin(*days).astimezone(UTC)
    moment, end = start + timedelta(seconds=seconds), start + timedelta(days=2)
    whole = [time.astimezone(UTC) for time in due_times(settings, start, end)]
    fired, now = [], moment
    while (following := next_times(settings, now, 1)[0].astimezone(UTC)) <= end:
        assert following > now
        fired.append(following)
        now = following
    assert fired == [time for time in whole if time > moment]


def test_monday_is_1():
    weekly = ScheduleSettings(cron="0 2 * * 1")
    assert [f"{time:%A}" for time in next_times(weekly, NOW, 2)] == ["Monday", "Monday"]


@pytest.mark.parametrize(
    ("policy", "missed", "run", "later"),
    [("none", 23, 1, 0), ("latest", 23, 1, 0), ("all", 0, 1, 23)],
)
def test_a_day_of_downtime_on_the_hour(policy, missed, run, later):
    down = berlin(2026, 3, 5, 10, 30)
    back = berlin(2026, 3, 6, 10, 5)
    due = due_times(HOURLY, down, back)
    queue = line_up(policy, None, due, back)
    assert (len(queue.missed), 1 if queue.next else 0, len(queue.later)) == (missed, run, later)
    assert queue.next == (due[0] if policy == "all" else due[-1])


def test_none_passes_over_even_the_newest_time_once_it_is_late():
    due = due_times(HOURLY, berlin(2026, 3, 5, 10, 30), berlin(2026, 3, 6, 10, 30))
    queue = line_up("none", None, due, berlin(2026, 3, 6, 10, 30))
    assert (len(queue.missed), queue.next) == (24, None)


@pytest.mark.parametrize(("policy", "runs"), [("none", 0), ("latest", 1), ("all", 1)])
def test_a_night_of_downtime(policy, runs):
    down, back = berlin(2026, 3, 5, 1), berlin(2026, 3, 6, 1)
    queue = line_up(policy, None, due_times(NIGHTLY, down, back), back)
    assert (queue.next is not None) == bool(runs)


@given(
    policy=st.sampled_from(["none", "latest", "all"]),
    minutes=st.lists(st.integers(1, 60 * 24 * 40), unique=True, max_size=30).map(sorted),
    after=st.integers(0, 1000),
)
def test_no_time_is_lost_and_none_is_dealt_with_twice(policy, minutes, after):
    due = [NOW + timedelta(minutes=minute) for minute in minutes]
    now = (due[-1] if due else NOW) + timedelta(minutes=after)
    queue = line_up(policy, None, due, now)
    told = [*queue.missed, *([queue.next] if queue.next else []), *queue.later]
    assert told == due
    if policy == "none" and queue.next:
        assert now - queue.next <= GRACE


def test_a_newer_time_takes_the_place_of_a_retry_unless_all_are_asked_for():
    newer = NOW + timedelta(hours=1)
    assert line_up("latest", NOW, [newer], newer).next == newer
    assert line_up("latest", NOW, [newer], newer).missed == [NOW]
    assert line_up("all", NOW, [newer], newer).next == NOW
    assert line_up("none", NOW, [], NOW + timedelta(hours=5)).next == NOW


def reason(only_if: OnlyIf, found: Found) -> tuple[Action, str]:
    decided = decide(ScheduleSettings(cron="0 2 * * *", only_if=only_if), found, NOW)
    return decided.action, decided.reason


def test_new_images_start_a_run_from_their_number_on():
    few = reason(OnlyIf(new_images=100), Found(new_images=99))
    assert few == (Action.SETTLE, "99 new images, at least 100 needed")
    assert reason(OnlyIf(new_images=100), Found(new_images=100)) == (Action.RUN, "100 new images")


def test_any_condition_is_enough():
    settings = OnlyIf(new_images=100, drift=True, max_age="7d")
    nothing, why = reason(settings, Found(by_feature={"label": 0.01, "brightness": 0.05}))
    assert nothing is Action.SETTLE
    assert why == (
        "0 new images, at least 100 needed; the served model is 3 d old, at least 7d needed; "
        "drift of 0.05, more than 0.05 needed"
    )
    old = Found(served_since=NOW - timedelta(days=7))
    assert reason(settings, old) == (Action.RUN, "the served model is 7 d old")
    ahead = Found(served_since=NOW + timedelta(days=300))
    assert reason(settings, ahead)[0] is Action.RUN
    dark = Found(by_feature={"label": 0.01, "brightness": 0.4})
    assert reason(settings, dark) == (Action.RUN, "the images drifted: brightness by 0.40")


def test_where_nobody_can_tell_the_drift_new_images_are_enough():
    unknown = OnlyIf(new_images=100, drift=True)
    assert reason(unknown, Found(new_images=1, by_feature=None))[0] is Action.RUN
    nothing, why = reason(unknown, Found(new_images=0, by_feature=None))
    assert nothing is Action.SETTLE
    assert "unknown drift" in why


def test_without_conditions_or_without_a_model_each_time_has_its_run():
    assert reason(OnlyIf(new_images=None), Found())[0] is Action.RUN
    assert reason(OnlyIf(), Found(served_since=None)) == (Action.RUN, "no model is served yet")


def test_missing_images_are_said_before_anything_else():
    decided = decide(NIGHTLY, Found(missing="got no folder", new_images=9), NOW)
    assert (decided.action, decided.verdict, decided.reason) == (
        Action.SETTLE,
        AttemptVerdict.MISSING_DATA,
        "got no folder",
    )


def test_a_failed_run_is_retried_after_longer_and_longer_waits_and_given_up():
    retries = Retries(times=2, wait="10m", factor=3, longest="20m")
    once = [attempt(AttemptVerdict.FAILED)]
    assert decide_again(retries, once, NOW).until == NOW + timedelta(minutes=10)
    assert decide_again(retries, once, NOW + timedelta(minutes=10)).action is Action.RUN
    twice = [*once, attempt(AttemptVerdict.TIMED_OUT)]
    assert decide_again(retries, twice, NOW).until == NOW + timedelta(minutes=20)
    thrice = [*twice, attempt(AttemptVerdict.KILLED)]
    over = decide_again(retries, thrice, NOW)
    assert (over.action, over.verdict) == (Action.SETTLE, AttemptVerdict.KILLED)


def test_a_run_that_the_scheduler_s_stop_ended_goes_on_at_once_and_loses_no_retry():
    decided = decide_again(Retries(times=0), [attempt(AttemptVerdict.INTERRUPTED)], NOW)
    assert decided.action is Action.RUN


@given(retry=st.integers(1, 20), factor=st.floats(1, 10))
def test_no_wait_is_longer_than_the_longest(retry, factor):
    retries = Retries(times=20, wait="5m", factor=factor, longest="1h")
    assert timedelta(minutes=5) <= retries.wait_before(retry) <= timedelta(hours=1)
