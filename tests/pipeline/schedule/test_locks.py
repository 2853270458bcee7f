"""Who attends to a schedule while others do, or while it is paused."""

import threading

import pytest

from pipeline.schedule import launcher, locks
from pipeline.schedule.attempts import AttemptVerdict, Kind
from pipeline.schedule.locks import Busy
from tests.pipeline.schedule.helpers import REFUSED, held, until, verdicts


def test_what_a_person_asks_for_while_another_process_attends_is_refused(stand_in):
    coordinator = stand_in.coordinator()
    with held(coordinator.store.folder, "attempt") as holder, pytest.raises(Busy, match=f"process {holder.pid} since"):
        coordinator.deal_with(Kind.TRIGGERED, stand_in.clock())


@pytest.mark.parametrize("by_hand", [False, True], ids=["trigger", "effnet run"])
def test_a_time_that_comes_while_another_run_is_under_way_is_dealt_with_after_it(stand_in, monkeypatch, by_hand):
    monkeypatch.setattr(locks, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(launcher, "LOOK_SECONDS", 0.1)
    stand_in.add_day("2026-03-02")
    stand_in.plan(REFUSED)
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    folder, lock = (coordinator.config.run_root, "run") if by_hand else (coordinator.store.folder, "attempt")
    with held(folder, lock) as holder:
        waiting = threading.Thread(target=coordinator.attend)
        waiting.start()
        until(lambda: any(f"process {holder.pid} since" in line for line in stand_in.lines))
        assert stand_in.calls() == []
        holder.kill()
        waiting.join(30)
    assert verdicts(coordinator) == [AttemptVerdict.REFUSED]


def test_of_several_that_wait_for_their_turn_one_is_enough(stand_in):
    stand_in.add_day("2026-03-02")
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    with held(coordinator.store.folder, "attempt"), held(coordinator.store.folder, "waiting"):
        coordinator.attend()
    assert coordinator.store.attempts() == []


def test_a_stop_ends_the_wait_for_ones_turn(stand_in):
    coordinator = stand_in.coordinator()
    with held(coordinator.store.folder, "attempt"):
        coordinator.stop.set()
        coordinator.attend()
        with pytest.raises(locks.Stopped):
            coordinator.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert coordinator.store.attempts() == []


def test_a_pause_holds_for_airflow_s_times_as_well(stand_in):
    stand_in.add_day("2026-03-01")
    coordinator = stand_in.coordinator()
    coordinator.store.keep("paused", "2026-02-28T12:00:00+00:00")
    done = coordinator.deal_with(Kind.SCHEDULED, stand_in.clock())
    assert (done.verdict, done.settled) == (AttemptVerdict.MISSED, True)
    assert "paused since 2026-02-28 12:00 UTC" in done.why
    assert stand_in.calls() == []
