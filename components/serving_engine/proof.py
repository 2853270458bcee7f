"""What was proven of the ONNX file that travels with a pushed model: without a proof no server uses it."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field

from components.common import files

# TensorFlow Serving leaves assets.extra alone.
ONNX_FILE = "assets.extra/model.onnx"
PROOF_FILE = "assets.extra/serving_engine.json"
ONNX_RUNTIME = "onnxruntime"


@dataclass(frozen=True)
class EngineProof:
    """An engine held against the SavedModel on the eval images.

    Attributes:
        engine: its name.
        images: how many both were sent.
        difference: largest difference of a probability; infinite if the engine did not answer.
        tolerance: the largest that was allowed.
        latency_ms: from encoded images to probabilities, by the names of `Budgets.latency_ms`.
        sha256: of the ONNX file, 64 hex digits; "" if there is none.
        problem: why the engine is not used; "" if it is.
    """

    engine: str
    images: int
    difference: float
    tolerance: float
    latency_ms: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    problem: str = ""


def failed(problem: str, tolerance: float) -> EngineProof:
    """A proof that could not be had."""
    return EngineProof(ONNX_RUNTIME, 0, math.inf, tolerance, problem=problem)


def write_proof(saved_model: str, proof: EngineProof) -> None:
    """Writes it beside a model."""
    files.write_text(files.join(saved_model, PROOF_FILE), json.dumps(asdict(proof), indent=2) + "\n")


def proven_onnx(saved_model: str) -> tuple[bytes | None, str]:
    """Returns the ONNX file that was proven to answer as the SavedModel does, or None and why there is none."""
    path = files.join(saved_model, PROOF_FILE)
    if not files.exists(path):
        return None, "the model was pushed without a proof of another engine"
    proof = EngineProof(**json.loads(files.read_bytes(path)))
    if proof.problem:
        return None, proof.problem
    content = files.read_bytes(files.join(saved_model, ONNX_FILE))
    if hashlib.sha256(content).hexdigest() != proof.sha256:
        return None, f"{ONNX_FILE} is not the file that was proven"
    return content, ""
