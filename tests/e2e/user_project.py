"""A user's project folder, and the commands that users type in it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# The quick start, cut to what a test can wait for; the thresholds refuse a model that only guesses.
SMALL = (
    "model.image_size=32",
    "train.epochs=3",
    "tune.trials=2",
    "tune.data_fraction=0.3",
    "evaluate.min_accuracy=0.3",
)


@dataclass
class Project:
    """A user's folder: the shipped pipeline.yaml, images, and whatever runs leave behind."""

    folder: Path
    images: Path

    def __post_init__(self) -> None:
        shutil.copy(PROJECT / "pipeline.yaml", self.folder)

    def settings(self, *overrides: str) -> list[str]:
        own = (f"data.path={self.images}", f"runners.local.root={self.folder / 'build'}")
        return [part for setting in (*SMALL, *own, *overrides) for part in ("--set", setting)]

    def effnet(self, command: str, *arguments: str, overrides: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        return run_command([str(BIN / "effnet"), command, *self.settings(*overrides), *arguments], cwd=self.folder)

    def served(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "build" / "quickstart" / "served").glob("[0-9]*"))


def run_command(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip
