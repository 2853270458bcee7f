"""ServingCheck's finding as a file."""

import json
from dataclasses import asdict, dataclass

from components.common import files
from components.serving_check.verdict import Measured

REPORT_FILE = "serving_check.json"


@dataclass(frozen=True)
class ServingReport:
    """What was measured of a model, None if it did not answer, and why it may not be served, a line each."""

    measured: Measured | None
    problems: list[str]

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return not self.problems


def write_report(uri: str, report: ServingReport) -> None:
    """Writes the report into the artifact below `uri`."""
    files.write_text(files.join(uri, REPORT_FILE), json.dumps(asdict(report), indent=2) + "\n")


def read_report(uri: str) -> ServingReport:
    """Returns what `write_report` wrote.

    Raises:
        OSError: if the artifact is not ServingCheck's.
    """
    content = json.loads(files.read_bytes(files.join(uri, REPORT_FILE)))
    measured = content["measured"]
    return ServingReport(Measured(**measured) if measured else None, content["problems"])
