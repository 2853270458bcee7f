"""The two stacks that requirements.lock pins: which one an interpreter gets, why, and where it cannot run.

Python's minor version chooses, by the markers in pyproject.toml. `make setup` runs this file before it installs, so it
needs nothing but Python itself.
"""

import platform
import sys
from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True)
class Stack:
    """Packages that belong together; `glibc` is the oldest C library that their wheels load on."""

    tfx: str
    tensorflow: str
    pythons: tuple[Version, ...]
    glibc: Version
    systems: str

    def __str__(self) -> str:
        return f"TFX {self.tfx} with TensorFlow {self.tensorflow}"


# TFX 1.16 has its last wheels for CPython 3.11, and onnxruntime's are for manylinux_2_28; ml-metadata and TFDV 1.21 are
# built for manylinux_2_39. `make lock` tries that both locks can be installed there (tests/stacks/installable.sh).
OLDER = Stack("1.16", "2.16", ((3, 11),), (2, 28), "Debian 12 or Ubuntu 22.04")
NEWER = Stack("1.21", "2.21", ((3, 12), (3, 13)), (2, 39), "Debian 13 or Ubuntu 24.04")
MACHINE = "x86_64"  # the only one on Linux that ml-metadata and TFDV have wheels for


def stack_of(python: Version) -> Stack | None:
    """Returns the stack of an interpreter; None if there is none for it."""
    return next((stack for stack in (OLDER, NEWER) if python in stack.pythons), None)


def glibc_version() -> Version | None:
    """Returns this system's glibc; None where there is another C library."""
    name, text = platform.libc_ver()
    if name != "glibc":
        return None
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def find_obstacle(python: Version, glibc: Version | None, machine: str) -> str | None:
    """Says why the interpreter's stack cannot be installed on such a system, and what to do; None if it can be."""
    stack = stack_of(python)
    if stack is None:
        return f"Python {_dotted(python)} has no wheels of TFX: install Python 3.11 (any system), 3.12 or 3.13"
    if machine != MACHINE:
        return f"TFX has wheels for {MACHINE} on Linux, and this is {machine}: use an {MACHINE} machine or container"
    if glibc is None:
        return f"TFX has wheels for glibc only: use {NEWER.systems}, or a container of these"
    if glibc < stack.glibc:
        older_will_do = stack is NEWER and glibc >= OLDER.glibc
        return (
            f"{stack} (Python {_dotted(python)}) needs glibc {_dotted(stack.glibc)} ({stack.systems}), "
            f"and this system has {_dotted(glibc)}: "
            + ("install Python 3.11 and run `make setup PYTHON=3.11`" if older_will_do else "use a container of these")
        )
    return None


def explain_choice(python: Version, glibc: Version | None) -> str:
    """Says why an interpreter that can run has the stack that it has."""
    by_python = f"Python {_dotted(python)} has it"
    if stack_of(python) is NEWER:
        return f"{by_python}, and glibc {_dotted(glibc)} its wheels" if glibc else by_python
    if glibc and glibc < NEWER.glibc:
        return f"glibc {_dotted(glibc)} is too old for TFX {NEWER.tfx}'s wheels ({_dotted(NEWER.glibc)})"
    return f"{by_python}, though this system could run TFX {NEWER.tfx}"


def explain_newer(python: Version, glibc: Version | None) -> str | None:
    """Says what the newer stack brings and how to get it; None where it is in use."""
    if stack_of(python) is NEWER:
        return None
    brings = f"{NEWER}, NumPy 2 and security fixes that the older one's packages no longer get"
    if glibc and glibc >= NEWER.glibc:
        return f"{brings}: `rm -rf .venv && make setup`, with Python 3.12 or 3.13 installed"
    return f"{brings}: on {NEWER.systems}, or a container of these"


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    obstacle = find_obstacle(sys.version_info[:2], glibc_version(), platform.machine())
    sys.exit(f"error: {obstacle}" if obstacle else 0)
