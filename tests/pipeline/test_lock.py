"""The locks are those of pyproject.toml: what `make lock` would say of them, without a network."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.config.load import DEFAULT_PATH

PROJECT = DEFAULT_PATH.parent
PYTHONS = ("3.11", "3.12", "3.13")


def pins(lock: str) -> list[Requirement]:
    return [Requirement(line) for line in re.findall(r"^(\S+==.+?) \\$", (PROJECT / lock).read_text(), re.M)]


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


def holds(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ["dev"]), ("requirements-gpu.lock", ["dev", "gpu"])]
)
def test_every_requirement_is_pinned_once_within_its_bounds(lock, extras, python):
    pinned = {}
    for pin in pins(lock):
        if holds(pin, python):
            assert canonicalize_name(pin.name) not in pinned, f"{pin.name} has two versions for Python {python}"
            (version,) = pin.specifier
            pinned[canonicalize_name(pin.name)] = version.version
    for requirement in wanted(*extras):
        if holds(requirement, python):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), str(requirement)


def test_the_gpu_lock_adds_only_cuda():
    plain, gpu = (set(map(str, pins(lock))) for lock in ("requirements.lock", "requirements-gpu.lock"))
    assert plain <= gpu
    assert {text.split("-")[0] for text in gpu - plain} == {"nvidia"}
