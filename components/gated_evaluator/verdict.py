"""The gate's decision as a file, read by the steps after it."""

import json
from dataclasses import asdict, dataclass, field

from components.common import files
from components.gated_evaluator.slices import Slice

VERDICT_FILE = "verdict.json"


@dataclass(frozen=True)
class GateVerdict:
    """What the gate said of a candidate, and why.

    Attributes:
        blessed: whether it may be pushed.
        accuracy: on the eval images, 0 to 1.
        metrics: every metric over all eval images, by TFMA's name.
        recall: of each class, 0 to 1, by name.
        confused: the pairs (actual, predicted, images) of classes that are mixed up most often.
        baseline_version: the served version that it was compared with; "" if there was none.
        baseline_accuracy: that version's on the same images; None if there was none.
        problems: why it was refused, a line each.
        notes: what else is worth knowing, a line each.
        accuracy_interval: within what the accuracy lies with 95 % confidence; None if it was not computed.
        slices: the images by size and by brightness.
        served_fingerprint: of the model that was served when it was judged, compared with or not; "" if none was.
    """

    blessed: bool
    accuracy: float
    metrics: dict[str, float]
    recall: dict[str, float]
    confused: list[tuple[str, str, int]]
    baseline_version: str
    baseline_accuracy: float | None
    problems: list[str]
    notes: list[str]
    accuracy_interval: tuple[float, float] | None = None
    slices: list[Slice] = field(default_factory=list)
    served_fingerprint: str = ""


def write_verdict(uri: str, verdict: GateVerdict) -> None:
    """Writes the verdict into the artifact below `uri`."""
    text = json.dumps(asdict(verdict), indent=2, ensure_ascii=False)
    files.write_text(files.join(uri, VERDICT_FILE), text + "\n")


def read_verdict(uri: str) -> GateVerdict:
    """Returns what `write_verdict` wrote.

    Raises:
        OSError: if the artifact is not GatedEvaluator's.
    """
    content = json.loads(files.read_bytes(files.join(uri, VERDICT_FILE)))
    return GateVerdict(**{**content, "slices": [Slice(**kind) for kind in content.get("slices", ())]})
