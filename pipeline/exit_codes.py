"""How `effnet run` ends, for scripts and schedulers."""

from enum import IntEnum

from components.common.errors import DataError, GateError


class ExitCode(IntEnum):
    """How a run ended, for scripts and schedulers."""

    PUSHED = 0
    FAILED = 1
    USAGE = 2
    GATE_REFUSED = 3
    DATA_REFUSED = 4

    @property
    def meaning(self) -> str:
        """Its name in words, for the last line of a run."""
        return self.name.lower().replace("_", " ")


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code of a run that ends with this error."""
    refusals = {DataError: ExitCode.DATA_REFUSED, GateError: ExitCode.GATE_REFUSED}
    return next((code for kind, code in refusals.items() if isinstance(error, kind)), ExitCode.FAILED)
