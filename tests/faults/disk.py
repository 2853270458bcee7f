"""A disk of its own for a project: one that loses power, and one that is full. Needs root and loop devices.

The backing file of a loop-mounted ext4 is the disk: what was written but not synced is not in a copy of it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


def _command(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True)


@dataclass
class Disk:
    """An ext4 in a file, mounted on a folder.

    Attributes:
      image: the backing file.
      folder: where it is mounted.
    """

    image: Path
    folder: Path

    def mount(self) -> None:
        done = _command("mount", "-o", "loop", str(self.image), str(self.folder))
        if done.returncode:
            pytest.skip(f"needs the right to mount: {done.stderr.strip()}")

    def unmount(self) -> None:
        for _ in range(100):
            if not _command("umount", str(self.folder)).returncode:
                return
            time.sleep(0.1)  # a killed process is still being cleared away
        raise RuntimeError(f"{self.folder} stays busy")

    def sync(self) -> None:
        """All that was written so far outlasts a power cut."""
        subprocess.run(["sync", "-f", str(self.folder)], check=True)

    def lose_power(self, process: subprocess.Popen | None = None) -> None:
        """End a process's group, and mount the disk as it was at that moment, its journal replayed.

        Just before, another program syncs a file of its own. That commits the journal: names and sizes, but of files
        that were not synced no content, which is how they become empty.
        """
        if process:
            os.killpg(process.pid, signal.SIGSTOP)  # so that the copy is of one moment
        with (self.folder / "other").open("w") as other:
            os.fsync(other.fileno())
        after = self.image.with_suffix(".after")
        subprocess.run(["cp", "--sparse=always", str(self.image), str(after)], check=True)
        if process:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.unmount()
        after.replace(self.image)
        self.mount()

    def fill(self, leave: int) -> Path:
        """Write a file that leaves so many bytes free; returns it."""
        filler = self.folder / "filler"
        free = shutil.disk_usage(self.folder).free
        subprocess.run(["fallocate", "-l", str(max(free - leave, 1)), str(filler)], check=True)
        return filler


@contextlib.contextmanager
def disk_on(folder: Path, image: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a new, empty disk on a folder; skip where that is not allowed."""
    if os.getuid():
        pytest.skip("needs root, to mount a disk")
    if not shutil.which("mkfs.ext4"):
        pytest.skip("needs mkfs.ext4: apt-get install e2fsprogs")
    folder.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    # No blocks kept for root, or a full disk would not be full to it.
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
    disk = Disk(image, folder)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()
        image.unlink()
