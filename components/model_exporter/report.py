"""What was exported, as a file."""

import json
from dataclasses import asdict, dataclass

from components.common import files
from components.model_exporter.agreement import Agreement

REPORT_FILE = "exports.json"


@dataclass(frozen=True)
class Export:
    """A model in another format.

    Attributes:
        format: one of `formats.FILES`.
        file: its name in the artifact.
        size_mb: megabytes of 1e6 bytes.
        size_ratio: its size as a share of the SavedModel's.
        agreement: with the SavedModel, on the eval images.
        problem: why the file was not kept; "" if it was.
    """

    format: str
    file: str
    size_mb: float
    size_ratio: float
    agreement: Agreement
    problem: str


def write_report(uri: str, exports: list[Export]) -> None:
    """Writes the report into the artifact below `uri`."""
    files.write_text(files.join(uri, REPORT_FILE), json.dumps([asdict(export) for export in exports], indent=2) + "\n")


def read_report(uri: str) -> list[Export]:
    """Returns what `write_report` wrote.

    Raises:
        OSError: if the artifact is not ModelExporter's.
    """
    content = json.loads(files.read_bytes(files.join(uri, REPORT_FILE)))
    return [Export(**{**export, "agreement": Agreement(**export["agreement"])}) for export in content]
