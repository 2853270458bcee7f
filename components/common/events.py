"""What a run reports as it goes: typed events, which this process displays and other processes read as JSON lines.

A process that starts another one and wants to hear of it names a file in the variable `EVENTS_FILE` of its environment;
everything that is reported there is appended to that file, one JSON object a line. The wording of an event is for
people: nothing reads facts from it.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EVENTS_FILE = "EFFNET_EVENTS"
EVENTS_SHOWN = "EFFNET_EVENTS_SHOWN"  # set where whoever reads them shows them: then progress need not be printed too
_LOGGER = logging.getLogger("effnet.events")
_LOGGER.setLevel(logging.INFO)
_FIELD = "event"  # of a log record


@dataclass(frozen=True)
class RunEvent:
    """Something that happened."""

    def __str__(self) -> str:
        """For logs."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Message(RunEvent):
    """What people read, in one line."""

    message: str

    def __str__(self) -> str:
        """For logs."""
        return self.message


@dataclass(frozen=True)
class Progress(Message):
    """How far the present step is, and what people read of it.

    Attributes:
      done: of `total`, in the smallest things that are counted; None: not counted.
      total: None: not known.
      table: what was done so far, rows of texts with a header first; None: the last table still holds.
    """

    done: int | None = None
    total: int | None = None
    table: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True)
class Done(Message):
    """One of several things that follow one another is done."""


@dataclass(frozen=True)
class Warned(Message):
    """Something that a person should know and that stops nothing."""


@dataclass(frozen=True)
class StepStarted(RunEvent):
    """A step of the pipeline begins."""

    step: str


@dataclass(frozen=True)
class StepEnded(RunEvent):
    """A step of the pipeline ended well; `cached` if an earlier run had done it."""

    step: str
    cached: bool


@dataclass(frozen=True)
class RunEnded(RunEvent):
    """The command is about to exit with `status`; `error` is "" where nothing went wrong."""

    status: int
    error: str = ""


_ALL = (Progress, Done, Warned, StepStarted, StepEnded, RunEnded)
KINDS: dict[str, type[RunEvent]] = {kind.__name__: kind for kind in _ALL}


class Listener(logging.Handler):
    """Takes the events of this process and, through it, of its training processes."""

    def __enter__(self) -> "Listener":
        _LOGGER.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _LOGGER.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one log record."""
        self.take(getattr(record, _FIELD))

    def take(self, event: RunEvent) -> None:
        """Takes one event."""
        raise NotImplementedError


class EventFile(Listener):
    """Appends events to a file; a line is written at once, so that several processes may share the file."""

    def __init__(self, path: Path):
        super().__init__()
        self._path = path

    def take(self, event: RunEvent) -> None:
        """Writes one event."""
        with self._path.open("ab", buffering=0) as file:
            file.write(to_line(event).encode() + b"\n")


def emit(event: RunEvent) -> None:
    """Reports an event to whoever listens."""
    _LOGGER.info("%s", event, extra={_FIELD: event})


def report_progress(
    message: str, done: int | None = None, total: int | None = None, table: Sequence[Sequence[str]] | None = None
) -> None:
    """Reports how far the present step is; see `Progress`."""
    emit(Progress(message, done, total, table))


def report_done(message: str) -> None:
    """Reports that one of several things is done."""
    emit(Done(message))


def report_warning(message: str) -> None:
    """Reports what a person should know and what stops nothing."""
    emit(Warned(message))


def relay(record: logging.LogRecord) -> None:
    """Reports here what another process has reported: the record that its handler was given."""
    _LOGGER.handle(record)


def send_to(handler: logging.Handler) -> None:
    """Has this process report to `handler` alone."""
    _LOGGER.propagate = False
    _LOGGER.addHandler(handler)


def write_where_asked() -> None:
    """Appends this process's events to the file that the environment names, until it ends; without one does nothing."""
    if path := os.environ.get(EVENTS_FILE):
        _LOGGER.addHandler(EventFile(Path(path)))


def are_shown_elsewhere() -> bool:
    """Whether another process shows this one's events as they come."""
    return EVENTS_SHOWN in os.environ


def to_line(event: RunEvent) -> str:
    """One JSON object, without a line's end."""
    return json.dumps({"kind": type(event).__name__, **dataclasses.asdict(event)}, ensure_ascii=False)


def from_line(line: str) -> RunEvent | None:
    """What `to_line` wrote; None for a kind that this version does not know, or what is no event.

    A newer version's events may have other fields, and a power cut may leave anything: none of it ends whoever reads.
    """
    try:
        fields = json.loads(line)
        kind = KINDS.get(fields.pop("kind"))
        return kind(**fields) if kind else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_events(path: Path) -> Iterator[RunEvent]:
    """The events of a file in their order; none if there is no file.

    A last line that a kill cut short is left out, as is one that is no event, which a power cut may leave.
    """
    if not path.exists():
        return
    # Not `splitlines`, to which what a message may hold ends a line as well, such as U+2028.
    *lines, _ = path.read_bytes().split(b"\n")
    for line in lines:
        if event := from_line(line.decode(errors="replace")):
            yield event
