"""What is written for Kubeflow means there what the user wrote, by the library that Kubeflow reads it with."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from pipeline.kubeflow.errors import KubeflowError
from pipeline.schedule.kubeflow_cron import backend_cron

pytestmark = pytest.mark.argo

FROM = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
TIMES = 60
SAID = [
    ("0 2 * * *", "UTC", "UTC"),
    ("*/15 * * * *", "UTC", "UTC"),
    ("5/20 8-18/2 * * mon-fri", "UTC", "UTC"),
    ("30 2 * * 7", "UTC", "UTC"),
    ("30 2 * * 0,6", "UTC", "UTC"),
    ("30 2 * * 5-7", "UTC", "UTC"),
    ("0 2 1,15 * *", "UTC", "UTC"),
    ("0 2 1 jan,jul *", "UTC", "UTC"),
    ("0 2 1 * 1", "UTC", "UTC"),  # either
    ("0 2 1-31 * 1", "UTC", "UTC"),  # either, so each day
    ("0 2 1-31 * *", "UTC", "UTC"),
    ("0 2 */10 * *", "UTC", "UTC"),
    ("0 2 * * */2", "UTC", "UTC"),
    ("0 0 29 2 *", "UTC", "UTC"),
    ("10 0 2 * * *", "UTC", "UTC"),  # seconds first
    ("30 2 * * 1", "Asia/Kolkata", "UTC"),
    ("30 23 * * 6", "America/Phoenix", "UTC"),
    ("0 */3 * * *", "Asia/Kathmandu", "UTC"),
    ("0 9,17 * * *", "Asia/Tokyo", "UTC"),
    ("0 2 * * *", "UTC", "Asia/Tokyo"),
    ("0 7 * * 1-5", "Europe/Berlin", "Europe/Berlin"),
    ("0 7 * * 1-5", "Europe/Athens", "Europe/Berlin"),
    ("0 7 1 * *", "Europe/Paris", "Europe/Berlin"),
]


def meant(cron: str, zone: str, times: int) -> list[datetime]:
    return [moment.astimezone(UTC) for moment in islice(CronSim(cron, FROM.astimezone(ZoneInfo(zone))), times)]


def test_each_expression_comes_when_it_was_meant_to(judge):
    questions = []
    for cron, zone, backend_zone in SAID:
        times = 2 if "29 2" in cron else TIMES
        expression = backend_cron(cron, zone, backend_zone)
        questions.append({"cron": expression, "zone": backend_zone, "from": FROM.isoformat(), "count": times})
    answers = judge.cron(questions)
    for (cron, zone, _), question, answer in zip(SAID, questions, answers, strict=True):
        assert answer["refused"] == "", question
        came = [datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in answer["next"]]
        assert came == meant(cron, zone, question["count"]), (cron, zone, question)


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("TZ=UTC 0 0 2 * * *", "Expected 5 to 6 fields, found 7: TZ=UTC 0 0 2 * * *"),
        ("0 0 2 * * 7", "End of range (7) above maximum (6): 7"),
    ],
)
def test_what_was_written_before_is_refused_there(judge, cron, said):
    (answer,) = judge.cron([{"cron": cron, "zone": "UTC", "from": FROM.isoformat(), "count": 1}])
    assert answer["refused"] == said


def test_five_fields_mean_something_else_there_and_31_february_is_taken(judge):
    asked = {"zone": "UTC", "from": FROM.isoformat(), "count": 2}
    five, never = judge.cron([{"cron": "0 2 * * *", **asked}, {"cron": "0 0 0 31 2 *", **asked}])
    first, second = (datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in five["next"])
    assert second - first == timedelta(hours=1)
    assert (never["refused"], never["next"]) == ("", [])


@pytest.mark.parametrize(
    ("cron", "zone", "backend_zone", "said"),
    [
        ("0 2 * *", "UTC", "UTC", "expected five fields"),
        ("@daily", "UTC", "UTC", "expected five fields"),
        ("0 25 * * *", "UTC", "UTC", "Bad hour"),
        ("0 2 31 2 *", "UTC", "UTC", "a date that never comes"),
        ("0 2 31 4,6 *", "UTC", "UTC", "a date that never comes"),
        ("0 2 L * *", "UTC", "UTC", "no L, W and #"),
        ("0 2 LW * *", "UTC", "UTC", "no L, W and #"),
        ("0 2 * * 5#2", "UTC", "UTC", "no L, W and #"),
        ("0 2 * * 5L", "UTC", "UTC", "no L, W and #"),
        ("0 2 */2 * 1", "UTC", "UTC", "both the day and the weekday must match"),
        ("0 2 * * *", "Berlin", "UTC", "expected a name such as"),
        ("0 2 * * *", "Europe/Berlin", "UTC", "not the same hours apart all year: name the times in UTC"),
        ("0 2 * * *", "UTC", "Europe/Berlin", "set CRON_SCHEDULE_TIMEZONE of .* to UTC"),
        ("0 2 1 * *", "Asia/Tokyo", "UTC", "no single expression in UTC"),
        ("0 1,12 * * 1", "Asia/Tokyo", "UTC", "no single expression in UTC"),
        ("15,45 3 * * *", "Asia/Kolkata", "UTC", "no single expression in UTC"),
    ],
)
def test_what_cannot_be_said_there_is_refused_in_one_line(cron, zone, backend_zone, said):
    with pytest.raises(KubeflowError, match=said) as error:
        backend_cron(cron, zone, backend_zone)
    assert "\n" not in str(error.value)
