"""Beam engines with workers in other processes, which know nothing of this one's environment."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.beam_steps import BeamSteps
from tests.components.conftest import digits, in_memory_beam  # noqa: F401 - fixtures
from tests.components.gated_evaluator.test_evaluation_tfx import save_model
from tests.engines.go_programs import program

START_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """Start a server in a session of its own, wait until it listens; all of it ends with the test."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=env, start_new_session=True)
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
                time.sleep(0.2)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Pool:
    """A worker pool as a side-car has it: its environment has a path and a home, and nothing else."""

    def __init__(self, process: subprocess.Popen, port: int):
        self._process, self.address = process, f"localhost:{port}"

    def workers(self) -> list[int]:
        """The ids of the workers that run now."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")  # each thread has the children it started
        return [int(child) for task in tasks for child in task.read_text(encoding="utf-8").split()]


@pytest.fixture
def pool(tmp_path) -> Iterator[Pool]:
    port = free_port()
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    env |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with running(command, port, tmp_path / "pool.log", env) as process:
        yield Pool(process, port)


@pytest.fixture
def job_service(tmp_path, pool) -> Iterator[tuple[str, ...]]:
    """The options for Python's own job service."""
    port = free_port()
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", f"--job_port={port}"]
    with running([*command, f"--staging_dir={tmp_path / 'staging'}"], port, tmp_path / "jobs.log"):
        yield options(port, pool)


@pytest.fixture
def prism(tmp_path, pool) -> Iterator[tuple[str, ...]]:
    """The options for prism."""
    port, web = free_port(), free_port()
    command = [program("prism"), f"--job_port={port}", f"--web_port={web}", "--serve_http=false"]
    with running(command, port, tmp_path / "prism.log"):
        yield options(port, pool)


def options(port: int, pool: Pool) -> tuple[str, ...]:
    """As runners.beam derives them for a job service."""
    from pipeline.config.engines import options_of

    engine = {"endpoint": f"localhost:{port}", "workers": pool.address}
    return options_of({"job_service": engine}, "", "effnet", {})


@pytest.fixture(scope="session")
def images(digits, tmp_path_factory) -> Path:  # noqa: F811
    """80 noughts and ones, and a torn file."""
    root = tmp_path_factory.mktemp("images")
    for label in ("0", "1"):
        (root / label).mkdir()
        for path in sorted((digits / label).iterdir())[:40]:
            shutil.copy(path, root / label / path.name)
    (root / "1" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), accuracy=0.8)


@pytest.fixture(scope="session")
def expected(images, model, tmp_path_factory, in_memory_beam):  # noqa: F811
    """What the engine in this process makes of the images."""
    return BeamSteps(str(images), model, tmp_path_factory.mktemp("default")).run_all()
