"""The locks are those of pyproject.toml: what `make lock` would say of them, without a network."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.config.load import DEFAULT_PATH

PROJECT = DEFAULT_PATH.parent
PYTHONS = ("3.11", "3.12", "3.13")


def pins(lock: str) -> dict[Requirement, set[str]]:
    """The hashes of each pin."""
    entries = re.findall(r"^(\S+==.+?) \\\n((?:    --hash=.+\n)+)", (PROJECT / lock).read_text(), re.M)
    return {Requirement(pin): set(re.findall(r"sha256:[0-9a-f]{64}", hashes)) for pin, hashes in entries}


def pinned(lock: str, python: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of each package that a Python installs from a lock."""
    found: dict[str, tuple[str, set[str]]] = {}
    for pin, hashes in pins(lock).items():
        if holds(pin, python):
            name = canonicalize_name(pin.name)
            assert name not in found, f"{lock} has two versions of {name} for Python {python}"
            (version,) = pin.specifier
            found[name] = version.version, hashes
    return found


def wanted(part: str) -> list[Requirement]:
    """The requirements of pyproject.toml: `runtime`, an extra or a dependency group."""
    content = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    project = content["project"]
    parts = {"runtime": project["dependencies"], **project["optional-dependencies"], **content["dependency-groups"]}
    return [Requirement(text) for text in parts[part]]


def holds(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("lock", "parts"),
    [
        ("requirements.lock", ["runtime"]),
        ("requirements-gpu.lock", ["runtime", "gpu"]),
        ("requirements-dev.lock", ["dev"]),
    ],
)
def test_every_requirement_is_pinned_once_within_its_bounds(lock, parts, python):
    found = pinned(lock, python)
    for requirement in (requirement for part in parts for requirement in wanted(part)):
        if holds(requirement, python):
            version, hashes = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), str(requirement)
            assert hashes


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_who_only_runs_it_gets_no_development_tool(lock):
    names = {canonicalize_name(pin.name) for pin in pins(lock)}
    assert not names & {canonicalize_name(requirement.name) for requirement in wanted("dev")}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_the_development_lock_fits_on_top(lock, python):
    runtime, dev = pinned(lock, python), pinned("requirements-dev.lock", python)
    common = runtime.keys() & dev.keys()
    assert common
    assert {name: runtime[name] for name in common} == {name: dev[name] for name in common}


def test_what_builds_the_project_is_pinned():
    build = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {Requirement(text).name for text in build} <= {pin.name for pin in pins("requirements-dev.lock")}


def test_the_gpu_lock_adds_only_cuda():
    plain, gpu = (set(map(str, pins(lock))) for lock in ("requirements.lock", "requirements-gpu.lock"))
    assert plain <= gpu
    assert {text.split("-")[0] for text in gpu - plain} == {"nvidia"}
