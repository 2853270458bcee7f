"""Argo's own validation and KFP's own cron library, built from their published modules and kept in the user's cache."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GO = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}


class Judge:
    """The built program; main.go says what it answers."""

    def __init__(self, program: Path):
        self._program = program

    def workflows(self, packages: Iterable[Path]) -> dict[str, str]:
        """Why Argo refuses each compiled pipeline, by its path; "" where it takes it."""
        said = self._ask(["workflows", *map(str, packages)])
        return {verdict["file"]: verdict["refused"] for verdict in said}

    def cron(self, questions: Iterable[dict]) -> list[dict]:
        """What KFP's cron library says of each question."""
        return self._ask(["cron"], "".join(json.dumps(question) + "\n" for question in questions))

    def _ask(self, arguments: list[str], text: str = "") -> list[dict]:
        done = subprocess.run([self._program, *arguments], input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def _go(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(["go", *command], cwd=HERE, env=GO, capture_output=True, text=True)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Builds it the first time, which takes minutes and a network; afterwards it is there."""
    if not shutil.which("go"):
        pytest.skip("needs Go, to build Argo's validation")
    digest = hashlib.sha256(_go("version").stdout.encode())
    for path in sorted([*HERE.glob("*.go"), HERE / "go.mod", HERE / "go.sum"]):
        digest.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tfx-efficientnet"
    program = cache / f"argo-judge-{digest.hexdigest()[:12]}"
    if not program.exists():
        fetched = _go("mod", "download")
        if fetched.returncode:
            pytest.skip(f"needs Go's modules of Argo: {fetched.stderr.strip()[-300:]}")
        built = _go("build", "-trimpath", "-o", f"{program}.new", ".")
        assert built.returncode == 0, built.stderr
        Path(f"{program}.new").rename(program)
    return Judge(program)
