"""A project whose commands are killed, cut off from power and left without room, and what must hold after that."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
INJECT = Path(__file__).parent / "inject"
# A network that is trained in seconds, on images that are ingested in some; the gate lets no accuracy be lost.
SETTINGS = """
name: tiny
data: {path: PHOTOS, min_images_per_class: 5, split: {val: 0.2, eval: 0.2}}
model: {phi: 0, base_width: 0.25, base_depth: 0.2, image_size: 32}
train: {epochs: 2, batch_size: 16}
tune: {enabled: false}
evaluate: {min_accuracy: 0.01, max_accuracy_drop: 0, min_class_examples: 1}
serving: {requests: 3}
runners: {local: {root: build}}
"""
IMAGES = 180
READ_COMMANDS = (("models",), ("runs",), ("lineage",), ("clean",), ("schedule", "history"), ("schedule", "list"))
SECONDS = 600  # in which any command ends, on a machine that has other work


@dataclass
class Project:
    """A project folder, always at the same path, for the metadata store notes absolute ones.

    Attributes:
      folder: of the project.
      snapshot: what it is put back to before each case.
      photos: the images, outside of it.
      notes: what an injected fault notes; emptied before each.
    """

    folder: Path
    snapshot: Path
    photos: Path
    notes: Path

    @property
    def served(self) -> Path:
        return self.folder / "build" / "tiny" / "served"

    def write_settings(self) -> None:
        (self.folder / "pipeline.yaml").write_text(SETTINGS.replace("PHOTOS", json.dumps(str(self.photos))))

    def keep(self) -> None:
        """Make what is there now the state that `restore` brings back."""
        shutil.rmtree(self.snapshot, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.folder), str(self.snapshot)], check=True)

    def restore(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lost+found":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        subprocess.run(["cp", "-a", f"{self.snapshot}/.", str(self.folder)], check=True)

    def start(self, *command: str, at: int | None = None, how: str = "kill", **environment: str) -> subprocess.Popen:
        """Start a command in a process group of its own; `at`: the call, from 1, before which it ends or stops."""
        if at is not None:
            shutil.rmtree(self.notes, ignore_errors=True)
            self.notes.mkdir()
            environment |= {
                "PYTHONPATH": str(INJECT),
                "FAULT_ROOT": str(self.folder),
                "FAULT_NOTES": str(self.notes),
                "FAULT_AT": str(at),
                "FAULT_HOW": how,
            }
        return subprocess.Popen(
            [str(BIN / "effnet"), *command],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "200", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def effnet(self, *command: str, at: int | None = None, **environment: str) -> subprocess.CompletedProcess:
        process = self.start(*command, at=at, **environment)
        try:
            said, _ = process.communicate(timeout=SECONDS)
        finally:
            kill_group(process)  # what the killed command had started
        return subprocess.CompletedProcess(command, process.returncode, said)

    def count_calls(self, *command: str) -> int:
        """How many calls that change the disk a command makes; it is run to its end for that."""
        done = self.effnet(*command, at=0)
        assert done.returncode == 0, done.stdout
        return int((self.notes / "count").read_text())

    def models(self) -> list[dict[str, Any]]:
        done = self.effnet("models", "--json")
        assert done.returncode == 0, done.stdout
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def check_readable(self, *commands: tuple[str, ...]) -> None:
        """Every command that only looks works, and all that is served is whole."""
        for command in commands or READ_COMMANDS:
            done = self.effnet(*command)
            assert done.returncode == 0, f"effnet {' '.join(command)}: {done.stdout}"
            assert "Traceback" not in done.stdout
        assert [model["problem"] for model in self.models() if model["problem"]] == []

    def check_next_run(self) -> None:
        """The next run completes and pushes; what goes in comes out or is named."""
        done = self.effnet("run")
        assert done.returncode == 0, done.stdout
        assert "blessed and pushed" in done.stdout, done.stdout
        assert f"{IMAGES} of {IMAGES} files in 3 classes" in done.stdout


def kill_group(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def wait_for(path: Path, process: subprocess.Popen) -> None:
    until = time.monotonic() + SECONDS
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)


def moments(calls: int, number: int) -> list[int]:
    """So many of the calls from the first to the last one, evenly."""
    return sorted({1 + round(index * (calls - 1) / max(number - 1, 1)) for index in range(number)})
