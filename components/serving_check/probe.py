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
from typing import Any

from components.common.errors import GateError

PROBE = Path(__file__).with_name("probe_script.py")
LONGEST_SECONDS = 900.0  # for a model that never answers
ERROR_LINES = 3


def site_packages() -> list[str]:
    """Returns the folders of installed packages."""
    paths = sysconfig.get_paths()
    return sorted({paths["purelib"], paths["platlib"]})


def probe(
    saved_model: str, images: Sequence[bytes], batch_sizes: Sequence[int] = (), requests: int = 0, seconds: float = 0.0
) -> dict[str, Any]:
    """Returns what `probe.py` reports of a local SavedModel that is sent `images`.

    Args:
        saved_model: local folder.
        images: encoded bytes, of one image each.
        batch_sizes: to measure the latency with.
        requests: most for each batch size.
        seconds: most for each batch size.

    Raises:
        GateError: if the model does not answer.
    """
    request = {
        "images": [base64.b64encode(image).decode() for image in images],
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
        raise GateError(f"the exported model does not answer to images (exit status {done.returncode}): {last}")
    return json.loads(done.stdout)
