"""Alerts as a receiver on this machine gets them, and never with a secret where it does not belong."""

from datetime import UTC, datetime

import pytest

from pipeline.scheduling.alerts import NOBODY, AlertError, tell
from pipeline.scheduling.settings import Alerts
from pipeline.scheduling.store import Attempt, Kind, Verdict
from tests.scheduling.receiver import listening

PASSWORD = "hunter2"
NOW = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


@pytest.fixture
def receiver():
    with listening(PASSWORD) as server:
        yield server


def attempt(verdict: Verdict, why: str = "accuracy 0.41 is below 0.9") -> Attempt:
    return Attempt(
        NOW, Kind.SCHEDULED, 1, verdict, why, True, NOW, NOW, spans=("2026-03-04", "2026-03-05"), images=900,
        new_images=300, metrics={"sparse_categorical_accuracy": 0.41}, run=7, served_before="17", served_after="17",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "title", "kind"),
    [
        (Verdict.PUSHED, "flowers: a new model is served", "success"),
        (Verdict.REFUSED, "flowers: refused, what was served stays", "warning"),
        (Verdict.KILLED, "flowers: failed", "failure"),
        (Verdict.MISSING_DATA, "flowers: no data", "warning"),
        (Verdict.NOTHING_NEW, "flowers: nothing new", "info"),
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
        "sparse_categorical_accuracy 0.4100",
        "served now: 17",
        "effnet report 7",
    ):
        assert part in post["message"]
    assert told == "JSON"


def test_what_is_not_asked_for_is_not_told(receiver):
    alerts = Alerts(urls=("${ALERT_URL}",), about=("pushed",))
    for verdict in (Verdict.REFUSED, Verdict.MISSED):
        assert tell(alerts, "flowers", attempt(verdict), {"ALERT_URL": receiver.url}) == NOBODY
    assert tell(Alerts(), "flowers", attempt(Verdict.PUSHED), {}) == NOBODY
    assert receiver.posts == []


def test_one_variable_may_hold_several_addresses_and_an_address_several_variables(receiver):
    environment = {"BOTH": f"{receiver.url}, {receiver.url}", "PASS": PASSWORD, "PORT": str(receiver.server_port)}
    alerts = Alerts(urls=("${BOTH}", "json://user:${PASS}@127.0.0.1:${PORT}"))
    assert tell(alerts, "flowers", attempt(Verdict.PUSHED), environment) == "JSON, JSON, JSON"
    assert len(receiver.posts) == 3


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "the environment has no ALERT_URL"),
        ({"ALERT_URL": f"nosuchservice://{PASSWORD}"}, "is no URL that Apprise knows"),
        ({"ALERT_URL": f"json://user:{PASSWORD}@127.0.0.1:1/"}, "JSON did not take the alert"),
    ],
)
def test_what_goes_wrong_is_one_line_without_the_secret(environment, told, caplog, capfd):
    with pytest.raises(AlertError, match=told) as error:
        tell(Alerts(urls=("${ALERT_URL}",)), "flowers", attempt(Verdict.FAILED), environment)
    said = [str(error.value), caplog.text, *capfd.readouterr()]
    assert "\n" not in said[0]
    assert not any(PASSWORD in text for text in said)


def test_an_alert_that_nobody_took_is_sent_with_the_next_look_and_only_once(receiver, stand_in, monkeypatch):
    monkeypatch.setenv("ALERT_URL", receiver.url)
    receiver.status = 500
    attendant = stand_in.attendant("schedule.alerts.urls=['${ALERT_URL}']")
    attendant.begin(stand_in.clock())
    stand_in.clock.at(2026, 3, 2, 2, 0)
    attendant.attend()
    (noted,) = attendant.store.attempts()
    assert noted.alert.startswith("not sent: JSON did not take the alert")
    receiver.status = 200
    for _ in range(2):
        attendant.attend()
    assert len(receiver.posts) == 2  # the one that was not taken, and the one that was
    assert attendant.store.attempts()[0].alert.endswith("JSON")
    everything = "".join(path.read_text(errors="replace") for path in attendant.store.folder.rglob("*.*"))
    assert PASSWORD not in everything + "".join(stand_in.lines)
