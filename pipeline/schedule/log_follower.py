"""Forwards the lines that a run writes to a file, while it runs."""

from collections.abc import Callable
from pathlib import Path


class Follower:
    """Forwards the lines that were added to a file since the last call.

    Args:
      path: the file.
      show: receives each complete line, without its line break.
    """

    def __init__(self, path: Path, show: Callable[[str], None]):
        self._path, self._show = path, show
        self._position, self._part = 0, b""

    def __call__(self) -> None:
        """Forwards the new lines."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        self._position += len(new)
        *lines, self._part = (self._part + new).split(b"\n")
        for line in lines:
            self._show(line.decode(errors="replace").rstrip())
