"""Clients that do not install beside TFX, each in an environment of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.load import DEFAULT_PATH
from tests.onnx_model import image

pytestmark = pytest.mark.slow
CLIENTS = Path(__file__).with_name("clients")


def ask(home: Path, package: str, script: str, *arguments: str) -> dict:
    """Install `package` and run a client."""
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", str(home / "env"), "--python", sys.executable], check=True)
    python = str(home / "env" / "bin" / "python")
    installed = subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, package], capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"{package} could not be installed: {installed.stderr.strip()[-200:]}")
    done = subprocess.run([python, str(CLIENTS / script), *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_kserve(colours, tmp_path):
    (tmp_path / "image.png").write_bytes(image("green"))
    seen = ask(
        tmp_path, "kserve==0.21.0", "kserve_client.py", colours.url, "colours", str(tmp_path / "image.png")
    )  # fmt: skip
    assert seen["predictions"][0]["class_name"] == "green"
    assert "400" in seen["broken"]
    python = str(tmp_path / "env" / "bin" / "python")
    manifest = str(DEFAULT_PATH.parent / "deploy" / "kserve.yaml")
    done = subprocess.run([python, str(CLIENTS / "kserve_schema.py"), manifest], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_triton_is_refused_as_by_tensorflow_serving(colours, tmp_path):
    address = colours.url.removeprefix("http://")
    seen = ask(tmp_path, "tritonclient[http]", "triton_client.py", address, "colours")
    assert (seen["live"], seen["ready"]) == (False, False)
    assert "Malformed request: GET /v2/models/colours" in seen["refused"]
