"""The Dockerfile, as far as it can be read: no machine here builds it."""

import re
import subprocess
import tomllib

import pytest

from components.common.code_key import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


def argument(name: str) -> str:
    return re.search(rf"^ARG {name}=(.+)$", DOCKERFILE, re.M)[1]


def test_it_holds_all_of_the_project_s_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for part in parts:
        assert re.search(rf"^COPY (.* )?{re.escape(part)} ", DOCKERFILE, re.M)
        assert f"!{part}" in ignored


def test_it_pins_beam_as_the_lock_does():
    assert re.search(r"^apache-beam==(\S+) ; python_full_version < '3.12'", LOCK, re.M)[1] == argument("BEAM")
    newer = re.search(r"^apache-beam==(\S+) ; python_full_version >= '3.12'", LOCK, re.M)[1]
    assert f"--build-arg BEAM={newer}" in DOCKERFILE


@pytest.mark.parametrize("lock", [argument("LOCK"), "requirements-gpu.lock"])
def test_both_locks_hold_the_uv_that_installs_them_with_its_hashes(lock):
    expression = re.search(r"RUN (sed -n '[^']+')", DOCKERFILE)[1]
    assert f"@{expression.replace('$/p', '$$/p')} requirements.lock" in (ROOT / "Makefile").read_text()
    cut = subprocess.run(
        f"{expression} {lock}", shell=True, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    first, *hashes = cut.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)
    assert hashes and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
    assert [line.endswith("\\") for line in hashes] == [True] * (len(hashes) - 1) + [False]


def test_it_does_not_run_as_root():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M)[-1] == "1000"
