"""Tells somebody what a scheduled run came to, through Apprise: mail, Slack, webhooks and a hundred others."""

import logging
import os
import re
from collections.abc import Mapping

from pipeline.scheduling.settings import VARIABLE, Alerts
from pipeline.scheduling.store import Attempt, Verdict

# What an alert of each kind is about; the others tell nobody.
KINDS = {
    Verdict.PUSHED: "pushed",
    Verdict.REFUSED: "refused",
    Verdict.FAILED: "failed",
    Verdict.TIMED_OUT: "failed",
    Verdict.KILLED: "failed",
    Verdict.MISSING_DATA: "missing_data",
    Verdict.NOTHING_NEW: "nothing_new",
    Verdict.UNCHANGED: "nothing_new",
    Verdict.MISSED: "missed",
}
TITLES = {
    "pushed": "a new model is served",
    "refused": "refused, what was served stays",
    "failed": "failed",
    "missing_data": "no data",
    "nothing_new": "nothing new",
    "missed": "missed",
}
NOBODY = "nobody: not asked for"
_SEPARATOR = re.compile(r"[,\s]+(?=[a-z][a-z0-9]*://)", re.IGNORECASE)


class AlertError(RuntimeError):
    """An alert cannot be sent; the message holds no secret."""


def tell(alerts: Alerts, name: str, attempt: Attempt, environment: Mapping[str, str] = os.environ) -> str:
    """Sends the alert of a settled attempt, if one is asked for; returns who was told, without their addresses.

    Raises:
      AlertError: a variable is not set, a URL is none that Apprise knows, or a receiver did not take it.
    """
    kind = KINDS.get(attempt.verdict)
    if not alerts.urls or kind is None or kind not in alerts.about:
        return NOBODY
    title = f"{name}: {TITLES[kind]}"
    return _send(resolve(alerts, environment), title, body_of(attempt), kind)


def body_of(attempt: Attempt) -> str:
    """What is told of an attempt, a line each."""
    lines = [f"{attempt.verdict}: {attempt.why}", f"due {attempt.slot.isoformat()}, {attempt.kind}"]
    if attempt.spans:
        lines.append(f"spans {', '.join(attempt.spans)}")
    if attempt.images is not None:
        lines.append(f"{attempt.images:,} images, {attempt.new_images or 0:,} of them new")
    lines += [f"{name} {value:.4f}" for name, value in attempt.metrics.items()]
    served = attempt.served_after or "nothing"
    changed = (
        f", before it {attempt.served_before or 'nothing'}" if attempt.served_after != attempt.served_before else ""
    )
    lines.append(f"served now: {served}{changed}")
    if attempt.run is not None:
        lines.append(f"run {attempt.run}: `effnet report {attempt.run}` shows it")
    return "\n".join(lines)


def resolve(alerts: Alerts, environment: Mapping[str, str]) -> list[str]:
    """The URLs, with their variables filled in; a variable may hold several of them.

    Raises:
      AlertError: a variable is not set; the message names it.
    """
    urls: list[str] = []
    for url in alerts.urls:
        missing = [name for name in VARIABLE.findall(url) if not environment.get(name)]
        if missing:
            raise AlertError(
                f"schedule.alerts.urls: the environment has no {missing[0]}; export it where the runs start"
            )
        urls += _SEPARATOR.split(VARIABLE.sub(lambda match: environment[match[1]], url).strip())
    return urls


def _send(urls: list[str], title: str, body: str, kind: str) -> str:
    import apprise  # takes a second, which commands that only look need not wait for

    # Apprise logs addresses where something goes wrong.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    types = {
        "pushed": apprise.NotifyType.SUCCESS,
        "failed": apprise.NotifyType.FAILURE,
        "refused": apprise.NotifyType.WARNING,
        "missing_data": apprise.NotifyType.WARNING,
    }
    told: list[str] = []
    silent: list[str] = []
    for number, url in enumerate(urls, start=1):
        service = apprise.Apprise.instantiate(url)
        if service is None:
            raise AlertError(
                f"schedule.alerts.urls: number {number} is no URL that Apprise knows, such as mailto://, slack:// or json://"
            )
        name = str(service.service_name)
        sent = service.notify(
            body=body, title=title, notify_type=types.get(kind, apprise.NotifyType.INFO), body_format="text"
        )
        (told if sent else silent).append(name)
    if silent:
        raise AlertError(f"{', '.join(silent)} did not take the alert; the next look at the schedule tries it again")
    return ", ".join(told)
