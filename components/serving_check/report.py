"""ServingCheck's finding as a file."""

import json
from dataclasses import asdict, dataclass

from components.common import files
from components.serving_check.verdict import Measured
from components.serving_engine.proof import EngineProof

REPORT_FILE = "serving_check.json"
# What Pusher adds to the model, by its path below the model's folder.
ADDED_FILES = "added_to_model"


@dataclass(frozen=True)
class ServingReport:
    """What was seen of a model.

    Attributes:
        measured: None if it did not answer.
        problems: why it may not be served, a line each.
        engine: whether the faster engine answers alike; None if that was not asked.
    """

    measured: Measured | None
    problems: list[str]
    engine: EngineProof | None = None

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return not self.problems


def engine_verdict(proof: EngineProof) -> str:
    """Says in a sentence which engine a server will use, and why."""
    if proof.problem:
        return f"TensorFlow; {proof.engine} is not used: {proof.problem}"
    return (
        f"{proof.engine}: differs from the SavedModel by {proof.difference:.1g} at most on {proof.images} eval images"
    )


def write_report(uri: str, report: ServingReport) -> None:
    """Writes the report into the artifact below `uri`."""
    files.write_text(files.join(uri, REPORT_FILE), json.dumps(asdict(report), indent=2) + "\n")


def read_report(uri: str) -> ServingReport:
    """Returns what `write_report` wrote.

    Raises:
        OSError: if the artifact is not ServingCheck's.
    """
    content = json.loads(files.read_bytes(files.join(uri, REPORT_FILE)))
    measured, engine = content["measured"], content.get("engine")  # which reports of version 0.1.0 do not have
    return ServingReport(
        Measured(**measured) if measured else None, content["problems"], EngineProof(**engine) if engine else None
    )
