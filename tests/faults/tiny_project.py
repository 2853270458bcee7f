"""A pipeline that takes a minute from its start to a pushed model, and the command on it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from data.quickstart import build_quickstart
from tests.e2e.user_project import BIN

CLASSES, IMAGES = 3, 60
SETTINGS = """\
name: tiny
data: {path: photos, near_duplicates: false, split: {val: 0.2, eval: 0.2}, drift: null}
model: {image_size: 32}
train: {epochs: 3, checkpoint_seconds: 1}
tune: {enabled: false}
evaluate: {min_accuracy: 0.01, max_accuracy_drop: 1.0}
serving: {requests: 3}
"""
EFFNET = BIN / "effnet"


def make_tiny_project(folder: Path) -> Path:
    """Images of three classes and their pipeline.yaml."""
    build_quickstart(folder / "all")
    for number in range(CLASSES):
        kept = folder / "photos" / str(number)
        kept.mkdir(parents=True)
        for image in sorted((folder / "all" / str(number)).iterdir())[:IMAGES]:
            image.rename(kept / image.name)
    (folder / "pipeline.yaml").write_text(SETTINGS)
    return folder


def start(folder: Path, *words: str, **options: object) -> subprocess.Popen[str]:
    """Starts a command whose output is read line by line."""
    return subprocess.Popen(
        [EFFNET, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, **options,
    )  # fmt: skip


def effnet(folder: Path, *words: str, timeout: float = 300, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [EFFNET, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        **options,
    )  # fmt: skip


def lines_until(process: subprocess.Popen[str], words: str) -> Iterator[str]:
    """Yields what is printed up to the line with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")
