"""Secrets in a configuration, such as `--s3_secret_access_key=...` in `runners.beam`: kept out of everything that is
shown, logged and stored.

A secret is recognised by its name. Better than a masked secret is none: the libraries behind s3:// and gs:// read
AWS_SECRET_ACCESS_KEY and GOOGLE_APPLICATION_CREDENTIALS from the environment.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.printable import printable

HIDDEN = "(hidden)"
_NAME = r"secret|token|passw|credential|(?:^|[^a-z])(?:api|access|account|private)?[_-]?key$"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_OPTION = re.compile(r"(?P<name>-{1,2}[\w.-]+(?==|\s)|\b[A-Za-z][\w.-]*(?==))(?P<is>=|\s+)(?P<value>[^\s'\",\]]+)")
_IN_URL = re.compile(r"(?<=://)(?P<user>[^/\s:@]*):(?P<value>[^/\s@]+)(?=@)")
SHORTEST = 4  # characters; a shorter value is hidden next to its name, but not wherever its letters occur
NAMES_ONLY = "secrets"  # in runners.kubeflow: which of the cluster's secrets become which variables
_known: set[str] = set()


def is_secret(name: str) -> bool:
    """Whether the value of that name is a secret."""
    return bool(_SECRET_NAME.search(name))


def without_secrets(value: Any) -> Any:
    """The same values, except those whose name, or whose option's name, is a secret's."""
    if isinstance(value, Mapping):
        return {
            key: item if key == NAMES_ONLY else HIDDEN if is_secret(str(key)) and item else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return _hide_named(value) if isinstance(value, str) else value


def remember_secrets(value: Any) -> None:
    """Makes the secrets among a configuration's values, valid or not, known to `hide_secrets`."""
    _known.update(secret for secret in _secrets(value) if len(secret) >= SHORTEST)


def hide_secrets(text: str) -> str:
    """The text without secrets: those that are remembered, and any value next to a secret's name."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _hide_named(text)


def hide_secrets_in_logs() -> None:
    """Keeps secrets out of all log messages of this process from now on."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides", False):
        return

    def make_record(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        try:
            message = record.getMessage()
        except Exception:  # of a library whose arguments do not fit; logging reports it
            return record
        if (hidden := hide_secrets(message)) != message:
            record.msg, record.args = hidden, None
        return record

    make_record.hides = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_record)


class SafeFormatter(logging.Formatter):
    """What goes into a log, tracebacks too, has no secrets and no codes that steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The usual text."""
        return printable(hide_secrets(super().format(record)), keep="\n\t")


def _hide_named(text: str) -> str:
    def option(match: re.Match[str]) -> str:
        return f"{match['name']}{match['is']}{HIDDEN}" if is_secret(match["name"]) else match[0]

    return _IN_URL.sub(lambda match: f"{match['user']}:{HIDDEN}", _OPTION.sub(option, text))


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != NAMES_ONLY:
                yield from _secrets(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item, name)
    elif isinstance(value, str):
        if is_secret(name):
            yield value
        yield from (match["value"] for match in _OPTION.finditer(value) if is_secret(match["name"]))
        yield from (match["value"] for match in _IN_URL.finditer(value))
