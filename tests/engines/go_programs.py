"""Servers in Go that tests judge by: built once, from the Go module proxy, into the user's cache."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
SEAWEEDFS = "github.com/seaweedfs/seaweedfs@v0.0.0-20261109003541-7506e5f91cd6"


def program(name: str) -> str:
    """The path of prism or weed; a test that needs it is skipped where Go is missing."""
    if found := shutil.which(name):
        return found
    if not shutil.which("go"):
        pytest.skip(f"{name} is built with Go, which is not here")
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tfx-efficientnet" / "go"
    if not (folder / name).is_file():
        BUILDERS[name](folder)
    return str(folder / name)


def _prism(folder: Path) -> None:
    subprocess.run(["go", "install", PRISM], env=os.environ | {"GOBIN": str(folder)}, check=True)


def _weed(folder: Path) -> None:
    """`go install` refuses a module that replaces others: it is built in a copy."""
    done = subprocess.run(["go", "mod", "download", "-json", SEAWEEDFS], capture_output=True, text=True, check=True)
    source = folder / "seaweedfs"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(json.loads(done.stdout)["Dir"], source)
    subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
    subprocess.run(["go", "build", "-buildvcs=false", "-o", str(folder / "weed"), "./weed"], cwd=source, check=True)
    shutil.rmtree(source)


BUILDERS = {"prism": _prism, "weed": _weed}
