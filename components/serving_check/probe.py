"""Sends images to a SavedModel in a process of its own."""

import base64
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from components.common.errors import GateError
from components.serving_check.verdict import ProbeReport

PROBE = Path(__file__).with_name("probe_script.py")
LONGEST_SECONDS = 900.0  # for a model that never answers
ERROR_LINES = 3


def site_packages() -> list[str]:
    """Returns the folders of installed packages."""
    paths = sysconfig.get_paths()
    return sorted({paths["purelib"], paths["platlib"]})


def probe(
    saved_model: str,
    images: Sequence[bytes],
    batch_sizes: Sequence[int] = (),
    requests: int = 0,
    seconds: float = 0.0,
    pairs: Sequence[tuple[bytes, bytes]] = (),
) -> ProbeReport:
    """Returns what `probe.py` reports of a local SavedModel that is sent `images`.

    Args:
        saved_model: local folder.
        images: encoded bytes, of one image each.
        batch_sizes: to measure the latency with.
        requests: most for each batch size.
        seconds: most for each batch size.
        pairs: encoded bytes of images that should look alike to the network.

    Raises:
        GateError: if the model does not answer.
    """
    request = {
        "images": [base64.b64encode(image).decode() for image in images],
        "pairs": [[base64.b64encode(image).decode() for image in pair] for pair in pairs],
        "batch_sizes": list(batch_sizes),
        "requests": requests,
        "seconds": seconds,
    }
    with tempfile.TemporaryDirectory() as folder:
        request_file = Path(folder) / "request.json"
        request_file.write_text(json.dumps(request), encoding="utf-8")
        # -I: neither PYTHONPATH nor the current folder lend the process this project's code, and -S: nor does its
        # installation. The GPU is the trainer's.
        command = [
            sys.executable,
            "-I",
            "-S",
            str(PROBE),
            str(Path(saved_model).absolute()),
            str(request_file),
            *site_packages(),
        ]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise GateError(f"the exported model did not answer within {LONGEST_SECONDS:.0f} s") from error
    if done.returncode != 0:
        last = " ".join(done.stderr.strip().splitlines()[-ERROR_LINES:])
        raise GateError(f"the exported model cannot answer (exit status {done.returncode}): {last}")
    report: ProbeReport = json.loads(done.stdout)
    return report
