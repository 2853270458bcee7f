"""An Airflow in an environment of its own, in the user's cache, from `requirements.lock` beside this file.

The lock was made of one line, `apache-airflow==3.3.2`, as the project's own: `uv pip compile --universal
--generate-hashes --no-header --no-annotate -p 3.11`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOCK = Path(__file__).with_name("requirements.lock")
PROJECT = LOCK.parents[3]


@pytest.fixture(scope="session")
def airflow_bin() -> Path:
    """The folder with the `airflow` command; installed the first time, which takes a network."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tfx-efficientnet"
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = cache / f"airflow-{digest}"
    if not (environment / "complete").exists():
        uv = shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, environment], check=True)
        installed = subprocess.run(
            [uv, "pip", "install", "-q", "--require-hashes", "-r", LOCK],
            env={**os.environ, "VIRTUAL_ENV": str(environment)}, capture_output=True, text=True,
        )  # fmt: skip
        if installed.returncode:
            pytest.skip(f"Airflow could not be installed: {installed.stderr.strip().splitlines()[-1]}")
        (environment / "complete").touch()
    return environment / "bin"
