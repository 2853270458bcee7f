"""The image of `docker build --target serve`, without Docker: its packages alone serve a model."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from tests.onnx_model import image, write_version
from tests.pipeline.serving.conftest import b64
from tests.pipeline.serving.test_process import free_port

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[3]
UV = str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A virtual environment as the Dockerfile's stage serve-build makes it: its programs' folder."""
    home = tmp_path_factory.mktemp("serve")
    names = (PROJECT / "deploy" / "serving-packages.txt").read_text().split()
    lock = (PROJECT / "requirements.lock").read_text()
    pins = [re.search(rf"^{re.escape(name)}==(?:.*\\\n)*.*\n", lock, re.M)[0] for name in names]
    (home / "serving.txt").write_text("".join(pins))
    environment = {**os.environ, "VIRTUAL_ENV": str(home / "env")}
    subprocess.run([UV, "venv", "-q", str(home / "env"), "--python", sys.executable], check=True)
    install = [UV, "pip", "install", "-q", "--no-deps"]
    done = subprocess.run(
        [*install, "--require-hashes", "-r", str(home / "serving.txt")], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"the packages could not be installed: {done.stderr.strip()[-200:]}")
    # Of our own the files alone: a build needs the build backend, which the image does not keep.
    packages = next((home / "env" / "lib").glob("python*/site-packages"))
    for room in ("pipeline", "components", "trainer", "data"):
        shutil.copytree(PROJECT / room, packages / room, ignore=shutil.ignore_patterns("__pycache__"))
    source = Path(sysconfig.get_paths()["purelib"])
    for message in source.glob("tensorflow/**/*_pb2.py"):
        copy = packages / message.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(message, copy)
    return home / "env" / "bin"


def test_it_serves_with_none_of_the_training_packages(small, tmp_path):
    write_version(tmp_path / "models", 5, known=0.9)
    port = free_port()
    options = ["serve", "--host", "0.0.0.0", "--model", f"model={tmp_path / 'models'}"]
    options += ["--port", str(port), "--grpc-port", str(free_port())]
    start = "import sys; from pipeline.cli import main; sys.argv[0] = 'effnet'; main()"
    server = subprocess.Popen(
        [str(small / "python"), "-c", start, *options],
        cwd=tmp_path, env={"PATH": str(small), "HOME": str(tmp_path)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while subprocess.run(["curl", "-sf", f"{url}/readyz"], capture_output=True).returncode:
            assert time.monotonic() < until and server.poll() is None, server.communicate(timeout=5)
            time.sleep(0.2)
        command = [
            "curl",
            "-s",
            "-d",
            json.dumps({"instances": [b64(image("blue"))]}),
            f"{url}/v1/models/model:predict",
        ]
        (row,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["predictions"]
        assert (row["class_name"], row["known"]) == ("blue", True)
    finally:
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=60)
    assert server.returncode == 0, log
    assert "anyone who reaches 0.0.0.0 may ask the model" in log


def test_it_is_small_and_has_no_training_packages(small):
    packages = next((small.parent / "lib").glob("python*/site-packages"))
    for name in ("keras", "tfx", "apache_beam", "tensorflow/python/ops", "tensorflow/__init__.py"):
        assert not (packages / name).exists()
    megabytes = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6
    assert megabytes < 400
