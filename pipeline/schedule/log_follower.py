"""What a run writes into a file, passed on line by line while it does."""

from collections.abc import Callable
from pathlib import Path


class Follower:
    """Passes on the lines that have come to a file since it was last called.

    Args:
      path: the file.
      show: told each whole line, without its end.
    """

    def __init__(self, path: Path, show: Callable[[str], None]):
        self._path, self._show = path, show
        self._position, self._part = 0, b""

    def __call__(self) -> None:
        """Passes on what is new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        self._position += len(new)
        *lines, self._part = (self._part + new).split(b"\n")
        for line in lines:
            self._show(line.decode(errors="replace").rstrip())
