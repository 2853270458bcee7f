"""Errors that a user can act on: one line that says what was got, what was expected and what to do."""


class DataError(ValueError):
    """The images cannot be used as they are."""


class GateError(ValueError):
    """A gate cannot decide, so it refuses."""
