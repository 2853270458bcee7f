"""Errors that a user can act on: one line that says what was got, what was expected and what to do."""

from components.common.printable import printable


class DataError(ValueError):
    """The images cannot be used as they are."""


class MissingData(DataError):
    """The images are not there, or not yet."""


class StorageError(OSError):
    """A store cannot be used at all: its other files would fail as this one did."""


class GateError(ValueError):
    """A gate cannot decide, so it refuses."""


class PushError(RuntimeError):
    """A model cannot be pushed or rolled back; what was served stays."""


class DamagedRecord(PushError):
    """What was noted of a pushed version cannot be read."""


class Withdrawn(PushError):
    """The model was rolled back from: only a user's explicit choice serves it again."""


class Overtaken(PushError):
    """Another model is served than the one that this push was judged against: the gate has to judge again."""


def one_line(error: BaseException) -> str:
    """An error's message without its line breaks, safe to show; its type where there is no message."""
    return printable(" ".join(str(error).split())) or type(error).__name__
