"""Folders that one process works in at a time: whoever finds one in use takes another beside it.

Two runs of one pipeline at once, as on Kubeflow, ask for the same training or search. Each needs its state to itself.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from components.common import files

LOCK_FILE = "in-use.lock"


class Claim:
    """A folder that is this process's own until `release`, or until the process ends, however it ends.

    A storage other than a disk has no locks: there the folder is taken as it is.

    Args:
        folder: the one that is wanted; made, if it is local.

    Attributes:
        folder: the one that was got: `folder`, or `folder`-2, -3 and so on while others are at work in those before.

    Raises:
        OSError: if it cannot be made.
    """

    def __init__(self, folder: str) -> None:
        self._lock: int | None = None  # a file descriptor
        self.folder = folder
        number = 1
        while not files.is_remote(folder) and not self._take(self.folder):
            number += 1
            self.folder = f"{folder}-{number}"

    def release(self) -> None:
        """Leaves the folder to others. One that is to be deleted is deleted before that."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self, folder: str) -> bool:
        while True:
            try:
                Path(folder).mkdir(parents=True, exist_ok=True)
                lock = os.open(f"{folder}/{LOCK_FILE}", os.O_RDWR | os.O_CREAT, 0o666)
            except (FileNotFoundError, FileExistsError):
                continue  # whoever had it deletes it at this moment
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # fcntl(2): EAGAIN or EACCES
                os.close(lock)
                return False
            # A file that was deleted between opening and locking locks nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(Path(folder, LOCK_FILE).stat(), os.fstat(lock)):
                    self._lock = lock
                    return True
            os.close(lock)
