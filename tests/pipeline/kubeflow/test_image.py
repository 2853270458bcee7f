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
    for part in [*parts, project["project"]["readme"], *project["project"]["license-files"]]:
        assert re.search(rf"^COPY (.* )?{re.escape(part)} ", DOCKERFILE, re.M)
        assert f"!{part}" in ignored


def test_it_pins_beam_as_the_lock_does():
    assert re.search(r"^apache-beam==(\S+) ; python_full_version < '3.12'", LOCK, re.M)[1] == argument("BEAM")
    newer = re.search(r"^apache-beam==(\S+) ; python_full_version >= '3.12'", LOCK, re.M)[1]
    assert f"--build-arg BEAM={newer}" in DOCKERFILE


@pytest.mark.parametrize("package", ["uv", "pillow-heif"])
def test_what_it_takes_of_the_developers_lock_comes_with_its_hashes(package):
    expression = re.search(rf"sed -n '/\^{package}==[^']+' requirements-dev.lock", DOCKERFILE)[0]
    if package == "uv":
        assert f"@{expression.replace('$/p', '$$/p')}" in (ROOT / "Makefile").read_text()
    cut = subprocess.run(expression, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    first, *hashes = cut.splitlines()
    assert re.fullmatch(rf"{package}==[\d.]+ \\", first)
    assert hashes and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
    assert [line.endswith("\\") for line in hashes] == [True] * (len(hashes) - 1) + [False]


@pytest.mark.parametrize("lock", [argument("LOCK"), "requirements-gpu.lock"])
def test_the_locks_that_it_can_be_built_from_reach_docker(lock):
    assert (ROOT / lock).is_file()
    assert "!requirements*.lock" in (ROOT / ".dockerignore").read_text().splitlines()


def test_it_does_not_run_as_root():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M)[-1] == "1000"
