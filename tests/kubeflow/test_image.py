"""The Dockerfile, as far as it can be read: no machine here builds it."""

import re
import tomllib

from pipeline.dag import PROJECT

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
LOCK = (PROJECT / "requirements.lock").read_text()


def argument(name: str) -> str:
    return re.search(rf"^ARG {name}=(.+)$", DOCKERFILE, re.M)[1]


def test_it_holds_all_of_the_project_s_packages():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    parts = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    for part in parts:
        assert re.search(rf"^COPY (.* )?{re.escape(part)} ", DOCKERFILE, re.M)
        assert f"!{part}" in ignored


def test_it_pins_beam_as_the_lock_does():
    assert re.search(r"^apache-beam==(\S+) ; python_full_version < '3.12'", LOCK, re.M)[1] == argument("BEAM")
    newer = re.search(r"^apache-beam==(\S+) ; python_full_version >= '3.12'", LOCK, re.M)[1]
    assert f"--build-arg BEAM={newer}" in DOCKERFILE


def test_both_locks_are_there_and_uv_is_the_makefile_s():
    assert (PROJECT / argument("LOCK")).is_file()
    assert (PROJECT / "requirements-gpu.lock").is_file()
    assert f"UV_VERSION := {argument('UV_VERSION')}" in (PROJECT / "Makefile").read_text()


def test_it_does_not_run_as_root():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M)[-1] == "1000"
