"""Loaded by Python itself where PYTHONPATH names this folder: ends the process at a chosen call that changes the disk.

FAULT_ROOT    calls count that touch what is below this folder
FAULT_AT      the number of the call, from 1, before which it happens; 0: only count
FAULT_HOW     kill: SIGKILL. stop: FAULT_NOTES/cut is made and the process stops, so that the disk can be copied
FAULT_NOTES   a folder; `count` in it says how many calls there were

Of a command's processes only the first one counts, which is the command itself.
"""

import atexit
import os
import signal
from pathlib import Path

CALLS = ("fsync", "replace", "rename", "link", "symlink", "unlink", "remove", "rmdir", "mkdir")


def _install(root: str, notes: Path, at: int, how: str) -> None:
    try:
        os.close(os.open(notes / "owner", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    made = 0

    def is_inside(target: object) -> bool:
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(os.fsdecode(target))
        return path.absolute().is_relative_to(root)

    def counted(name: str):
        call = getattr(os, name)

        def apply(target, *arguments, **options):
            nonlocal made
            if options.get("dir_fd") is not None or is_inside(target):
                made += 1
                if made == at:
                    end()
            return call(target, *arguments, **options)

        return apply

    def end() -> None:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os.close(os.open(notes / "cut", os.O_CREAT))
        os.kill(os.getpid(), signal.SIGSTOP)

    for name in CALLS:
        setattr(os, name, counted(name))
    own = os.getpid()

    def note() -> None:
        if os.getpid() == own:
            (notes / "count").write_text(str(made))

    atexit.register(note)


if "FAULT_ROOT" in os.environ:
    _install(
        os.environ["FAULT_ROOT"], Path(os.environ["FAULT_NOTES"]), int(os.environ["FAULT_AT"]), os.environ["FAULT_HOW"]
    )
