"""How `effnet run` ends, for scripts and schedulers."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a run ended, for scripts and schedulers."""

    PUSHED = 0
    FAILED = 1
    USAGE = 2
    GATE_REFUSED = 3
    DATA_REFUSED = 4

    @property
    def meaning(self) -> str:
        """In words, for the last line of a run."""
        return self.name.lower().replace("_", " ")
