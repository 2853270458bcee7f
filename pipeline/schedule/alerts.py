"""Alerts about the result of a scheduled run, through Apprise: mail, Slack, webhooks and a hundred others."""

import contextlib
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from components.common.human_format import in_zone
from components.common.metrics import metric_of
from pipeline.config.schedule import VARIABLE, Alerts
from pipeline.schedule.attempts import Attempt, AttemptVerdict

if TYPE_CHECKING:
    from apprise import NotifyBase

# The kind of alert of each verdict; the other verdicts send none.
KINDS = {
    AttemptVerdict.PUSHED: "pushed",
    AttemptVerdict.REFUSED: "refused",
    AttemptVerdict.FAILED: "failed",
    AttemptVerdict.TIMED_OUT: "failed",
    AttemptVerdict.KILLED: "failed",
    AttemptVerdict.MISSING_DATA: "missing_data",
    AttemptVerdict.NOTHING_NEW: "nothing_new",
    AttemptVerdict.UNCHANGED: "nothing_new",
    AttemptVerdict.MISSED: "missed",
}
TITLES = {
    "pushed": "a new model is served",
    "refused": "refused, what was served stays",
    "failed": "failed",
    "missing_data": "no data",
    "nothing_new": "nothing new",
    "missed": "missed",
}
SEVERITIES = {"pushed": "success", "failed": "failure", "refused": "warning", "missing_data": "warning"}  # else info
# What Apprise logs of a failure, and what we report. Nothing else of its log, because that holds addresses.
_STATUS = re.compile(r"\berror=(\d{3})\b")
_CAUSES = {
    "connection refused": "refused the connection",
    "name or service not known": "has an unknown host name",
    "temporary failure in name resolution": "has a host name that could not be looked up",
    "certificate": "has a certificate that is not trusted",
    "timed out": "did not answer in time",
    "authentication": "did not accept the name or password",
    "connection error": "could not be reached",
}
_SEPARATOR = re.compile(r"[,\s]+(?=[a-z][a-z0-9]*://)", re.IGNORECASE)


@dataclass(frozen=True)
class Receivers:
    """The services behind the URLs.

    Attributes:
      services: by a readable name without secrets, such as "Slack 2" for the second URL.
      problems: why others cannot be used, a line each, without secrets.
    """

    services: dict[str, "NotifyBase"] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """The result of sending an alert.

    Attributes:
      told: the receivers that have accepted it so far, as `Receivers` names them.
      problems: why others have not, a line each, without secrets.
    """

    told: tuple[str, ...]
    problems: tuple[str, ...]


def tell(
    alerts: Alerts, name: str, attempt: Attempt, environment: Mapping[str, str] = os.environ, zone: tzinfo = UTC
) -> Sent | None:
    """Sends the alert of a settled attempt to the receivers that have not accepted it yet; None if there is none.

    Args:
      alerts: the section of pipeline.yaml.
      name: of the pipeline.
      attempt: the alert's subject.
      environment: has the variables of the addresses.
      zone: of the times in the alert.
    """
    kind = KINDS.get(attempt.verdict)
    if not alerts.urls or kind is None or kind not in alerts.about:
        return None
    receivers = find_receivers(alerts, environment)
    told, problems = list(attempt.told), list(receivers.problems)
    for label, service in receivers.services.items():
        if label not in told:
            problem = _send(service, f"{name}: {TITLES[kind]}", body_of(attempt, zone), SEVERITIES.get(kind, "info"))
            if problem:
                name_of, number = label.rsplit(" ", 1)
                problems.append(f"receiver {number} ({name_of}) {problem}")
            else:
                told.append(label)
    return Sent(tuple(told), tuple(problems))


def body_of(attempt: Attempt, zone: tzinfo) -> str:
    """The text of an attempt's alert, a line for each fact."""
    lines = [f"{attempt.verdict}: {attempt.why}", f"due {in_zone(attempt.slot, zone)}, {attempt.kind}"]
    if attempt.spans:
        lines.append(f"spans {', '.join(attempt.spans)}")
    if attempt.images is not None:
        lines.append(f"{attempt.images:,} images, {attempt.new_images or 0:,} of them new")
    lines += [f"{metric_of(name).label} {metric_of(name).text(value)}" for name, value in attempt.metrics.items()]
    served = attempt.served_after or "nothing"
    changed = (
        f", before it {attempt.served_before or 'nothing'}" if attempt.served_after != attempt.served_before else ""
    )
    lines.append(f"served now: {served}{changed}")
    if attempt.run is not None:
        lines.append(f"run {attempt.run}: `effnet report {attempt.run}` shows it")
    return "\n".join(lines)


def find_receivers(alerts: Alerts, environment: Mapping[str, str] = os.environ) -> Receivers:
    """Fills in the variables, each of which may hold several URLs, and finds the services behind them."""
    if not alerts.urls:
        return Receivers()
    import apprise  # takes a second, which commands that send nothing need not wait for

    receivers = Receivers()
    if problem := unset_problem(alerts, environment):
        receivers.problems.append(problem)
    for number, url in enumerate(alerts.urls, start=1):
        if _unset(VARIABLE.findall(url), environment):
            continue
        filled = VARIABLE.sub(lambda match: environment[match[1]], url)
        for position, address in enumerate(_SEPARATOR.split(filled.strip(" ,\t\n")), start=1):
            label = f"{number}.{position}" if position > 1 else str(number)
            with _heard():
                service = apprise.Apprise.instantiate(address)
            if service is None:
                receivers.problems.append(
                    f"schedule.alerts.urls: entry {label} is not a URL that Apprise knows; expected one such as "
                    "mailto://, slack:// or json://"
                )
            else:
                receivers.services[f"{service.service_name} {label}"] = service
    return receivers


def unset_problem(alerts: Alerts, environment: Mapping[str, str] = os.environ) -> str:
    """Names the variables of the URLs that are not set, and the way out, in a line; "" if all are set."""
    missing = _unset(alerts.variables, environment)
    return (
        f"schedule.alerts.urls: the environment has no {', '.join(missing)}; export it where the runs start, "
        "or turn alerts off with --set schedule.alerts.urls=[]"
        if missing
        else ""
    )


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Keeps Apprise's log out of all other logs, because it holds addresses; yields its lines."""
    logger, lines = logging.getLogger("apprise"), []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    listener, before = Listener(), (logger.level, logger.propagate, logger.handlers[:])
    logger.handlers[:] = [listener]
    logger.setLevel(logging.DEBUG)  # the level at which it names a socket's error
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.setLevel(before[0])
        logger.propagate, logger.handlers[:] = before[1], before[2]


def _unset(names: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    return [name for name in names if not environment.get(name, "").strip()]


def _send(service: "NotifyBase", title: str, body: str, severity: str) -> str:
    """Returns "" if the receiver accepted it, else the cause as far as it is known, without the address."""
    import apprise

    with _heard() as lines:
        try:
            sent = service.notify(body=body, title=title, notify_type=apprise.NotifyType(severity), body_format="text")
        except Exception as error:  # of one of a hundred plugins; its message may hold the address, others wait
            return f"did not accept the alert, {type(error).__name__}"
    return "" if sent else _cause_in(lines)


def _cause_in(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    if status := _STATUS.search(text):
        return f"answered HTTP {status[1]}"
    found = (told for sign, told in _CAUSES.items() if sign in text.lower())
    return next(found, "did not accept the alert")
