"""Alerts as a receiver on this machine gets them, and never with a secret where it does not belong."""

from datetime import UTC, datetime

import pytest

from pipeline.config.schedule import Alerts
from pipeline.schedule.alerts import Sent, tell
from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind
from pipeline.schedule.recorder import NOBODY
from tests.pipeline.schedule.receiver import listening

PASSWORD = "hunter2"
NOW = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@pytest.fixture
def receiver():
    with listening(PASSWORD) as server:
        yield server


def attempt(verdict: AttemptVerdict, why: str = "accuracy 0.41 is below 0.9") -> Attempt:
    return Attempt(
        NOW, Kind.SCHEDULED, 1, verdict, why, True, NOW, NOW, spans=("2026-03-04", "2026-03-05"), images=900,
        new_images=300, metrics={"sparse_categorical_accuracy": 0.41}, run=7, served_before="17", served_after="17",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "title", "kind"),
    [
        (AttemptVerdict.PUSHED, "flowers: a new model is served", "success"),
        (AttemptVerdict.REFUSED, "flowers: refused, what was served stays", "warning"),
        (AttemptVerdict.KILLED, "flowers: failed", "failure"),
        (AttemptVerdict.MISSING_DATA, "flowers: no data", "warning"),
        (AttemptVerdict.NOTHING_NEW, "flowers: nothing new", "info"),
    ],
)
def test_each_end_is_told_with_its_reason(receiver, verdict, title, kind):
    told = tell(Alerts(urls=("${ALERT_URL}",)), "flowers", attempt(verdict), {"ALERT_URL": receiver.url})
    (post,) = receiver.posts
    assert (post["title"], post["type"]) == (title, kind)
    for part in (
        "accuracy 0.41 is below 0.9",
        "spans 2026-03-04, 2026-03-05",
        "900 images, 300 of them new",
        "accuracy 0.4100",
        "served now: 17",
        "effnet report 7",
    ):
        assert part in post["message"]
    assert told == Sent(("JSON 1",), ())


def test_what_is_not_asked_for_is_not_told(receiver):
    alerts = Alerts(urls=("${ALERT_URL}",), about=("pushed",))
    for verdict in (AttemptVerdict.REFUSED, AttemptVerdict.MISSED):
        assert tell(alerts, "flowers", attempt(verdict), {"ALERT_URL": receiver.url}) is None
    assert tell(Alerts(), "flowers", attempt(AttemptVerdict.PUSHED), {}) is None
    assert receiver.posts == []


def test_one_variable_may_hold_several_addresses_and_an_address_several_variables(receiver):
    environment = {"BOTH": f"{receiver.url}, {receiver.url}", "PASS": PASSWORD, "PORT": str(receiver.server_port)}
    alerts = Alerts(urls=("${BOTH}", "json://user:${PASS}@127.0.0.1:${PORT}"))
    told = tell(alerts, "flowers", attempt(AttemptVerdict.PUSHED), environment)
    assert told == Sent(("JSON 1", "JSON 1.2", "JSON 2"), ())
    assert len(receiver.posts) == 3


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "the environment has no ALERT_URL; export it"),
        ({"ALERT_URL": " "}, "the environment has no ALERT_URL; export it"),
        ({"ALERT_URL": f"nosuchservice://{PASSWORD}"}, "entry 1 is not a URL that Apprise knows"),
        ({"ALERT_URL": f"json://user:{PASSWORD}@127.0.0.1:1/"}, "receiver 1 (JSON) refused the connection"),
    ],
)
def test_what_goes_wrong_is_one_line_without_the_secret(environment, told, caplog, capfd):
    sent = tell(Alerts(urls=("${ALERT_URL}",)), "flowers", attempt(AttemptVerdict.FAILED), environment)
    (problem,) = sent.problems
    assert told in problem and "\n" not in problem
    said = [problem, caplog.text, *capfd.readouterr()]
    assert not any(PASSWORD in text for text in said)


def test_one_receiver_that_cannot_be_told_does_not_keep_it_from_the_others(receiver):
    alerts = Alerts(urls=("${NOT_SET}", "${WRONG}", "${DOWN}", "${ALERT_URL}"))
    environment = {"WRONG": "nosuchservice://x", "DOWN": "json://127.0.0.1:1/", "ALERT_URL": receiver.url}
    sent = tell(alerts, "flowers", attempt(AttemptVerdict.FAILED), environment)
    assert sent.told == ("JSON 4",)
    assert len(sent.problems) == 3
    assert len(receiver.posts) == 1


def test_an_alert_that_nobody_took_is_sent_with_the_next_look_and_only_once(receiver, stand_in, monkeypatch):
    monkeypatch.setenv("ALERT_URL", receiver.url)
    receiver.status = 500
    coordinator = stand_in.coordinator("schedule.alerts.urls=['${ALERT_URL}']")
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    (noted,) = coordinator.store.attempts()
    assert noted.alert == "not sent: receiver 1 (JSON) answered HTTP 500"
    receiver.status = 200
    for _ in range(2):
        coordinator.attend()
    assert len(receiver.posts) == 2  # the one that was not taken, and the one that was
    assert coordinator.store.attempts()[0].alert.endswith("JSON 1")
    everything = "".join(path.read_text(errors="replace") for path in coordinator.store.folder.rglob("*.*"))
    assert PASSWORD not in everything + "".join(stand_in.lines)


def test_what_is_owed_is_said_in_one_line_with_its_cause(receiver, stand_in, monkeypatch):
    monkeypatch.setenv("ALERT_URL", receiver.url)
    receiver.status = 500
    coordinator = stand_in.coordinator("schedule.alerts.urls=['${ALERT_URL}']")
    for day in (1, 2, 3):
        coordinator.deal_with(Kind.TRIGGERED, datetime(2026, 3, day, 2, tzinfo=UTC))
    receiver.status = 404
    coordinator.recorder.tell_what_is_pending(coordinator.config)
    assert [line for line in stand_in.lines if line.startswith("error: ")] == [
        "error: 1 alert not sent; receiver 1 (JSON) answered HTTP 500; retried at the next check",
        "error: 2 alerts not sent; receiver 1 (JSON) answered HTTP 500; retried at the next check",
        "error: 3 alerts not sent; receiver 1 (JSON) answered HTTP 500; retried at the next check",
        "error: 3 alerts not sent; receiver 1 (JSON) answered HTTP 404; retried at the next check",
    ]


def test_whoever_has_an_alert_does_not_get_it_again_with_those_who_have_not(receiver, stand_in, monkeypatch):
    with listening(PASSWORD) as down:
        down.status = 503
        monkeypatch.setenv("ALERT_URL", receiver.url)
        monkeypatch.setenv("DOWN_URL", down.url)
        coordinator = stand_in.coordinator("schedule.alerts.urls=['${DOWN_URL}', '${ALERT_URL}']")
        coordinator.begin(stand_in.clock())
        stand_in.clock.at(2026, 3, 2, 2, 0)
        for _ in range(3):
            coordinator.attend()
        down.status = 200
        coordinator.attend()
        coordinator.attend()
        assert (len(receiver.posts), len(down.posts)) == (1, 4)
    (noted,) = coordinator.store.attempts()
    assert noted.told == ("JSON 2", "JSON 1")
    assert not noted.alert.startswith("not sent")
    assert (
        sum("receiver 1 (JSON) answered HTTP 503" in line for line in stand_in.lines) == 1
    )  # or the log fills while it is down


def test_nobody_is_told_of_what_nobody_asked_for(stand_in):
    coordinator = stand_in.coordinator()
    coordinator.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    coordinator.attend()
    assert coordinator.store.attempts()[0].alert == NOBODY
