"""Runs a command in a child process under supervision, so that it always ends in time and with a reason.

TensorFlow, Beam and ML Metadata run C++ code for minutes, during which Python handles no signal. Out of memory, some of
that code waits forever (a thrown std::bad_alloc leaves a graph's mutex locked), or the kernel kills the process. The
parent loads none of it: it forwards signals, and reports how the child ended.
"""

import contextlib
import ctypes
import functools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from pipeline.execution.failures import MEMORY_ADVICE, limit_note, memory_limit, report
from pipeline.execution.signals import STOPPED, Stopped, handling, heeded, raise_stopped
from pipeline.exit_codes import ExitCode
from pipeline.terminal import make_console, print_line

TO_STOP = 6.0  # seconds that a child has between a signal and its end
BEAT, SILENCE = 1.0, 30.0  # seconds between two signs of life; without one, where memory is limited, until the kill
LOOK = 0.1
_PR_SET_PDEATHSIG = 1  # prctl(2)


def supervise(work: Callable[[], None], debug: bool = False) -> int:
    """Calls `work` in a forked child; returns the exit status of the command.

    Call it before threads start and large libraries load. Errors of `work` are printed as `effnet` prints them.

    Args:
        work: raises typer.Exit to end with a status.
        debug: whether tracebacks are printed.
    """
    signs, beat = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    numbers = heeded()
    # Signals wait until the child has its handlers and this process knows its id.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    child = os.fork()
    if child == 0:
        os.close(signs)
        _be_child(work, debug, parent, beat, before)
    os.close(beat)
    watched = _Watched(child, signs)
    previous = {number: signal.signal(number, watched.stop) for number in numbers}
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return watched.wait()
    finally:
        for number, handler in previous.items():
            # After a stop, another Ctrl-C must not change the exit status.
            signal.signal(number, signal.SIG_IGN if watched.signal else handler)
        os.close(signs)


class _Watched:
    """The child, as its parent sees it."""

    def __init__(self, child: int, signs: int) -> None:
        self.child = child
        self.signs = signs
        self.signal = 0
        self.kill_at = float("inf")
        self.heard = time.monotonic()
        self.silent = False

    def stop(self, number: int, _: object) -> None:
        """Passes a signal on; the second one kills."""
        self.kill_at = 0.0 if self.signal else time.monotonic() + TO_STOP
        self.signal = self.signal or number
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, number)

    def wait(self) -> int:
        """Waits for the child's end; reports how it ended if the child cannot."""
        while True:
            family = [self.child, *_descendants(self.child)] if self.signal else []
            ended, status = os.waitpid(self.child, os.WNOHANG)
            if ended:
                break
            if time.monotonic() >= self.kill_at or self._is_stuck():
                _kill([self.child, *_descendants(self.child)])
                _, status = os.waitpid(self.child, 0)
                break
            self._listen()
        code = os.waitstatus_to_exitcode(status)
        if self.signal and code != 0:
            _kill(family)
            return self._say_stopped()
        return code if code >= 0 else self._say_killed(-code)

    def _listen(self) -> None:
        ready, _, _ = select.select([self.signs], [], [], LOOK)
        if ready:
            if not os.read(self.signs, 4096):
                time.sleep(LOOK)  # it is ending
            self.heard = time.monotonic()

    def _is_stuck(self) -> bool:
        """Only a lack of memory silences a child this long; without a limit on memory it is not checked."""
        self.silent = memory_limit() is not None and time.monotonic() - self.heard > SILENCE
        return self.silent

    def _say_stopped(self) -> int:
        if sys.stdout.isatty():
            sys.stdout.write("\x1b[?25h")  # the cursor, which a progress bar hides
        print_line(make_console(), "stopped", STOPPED)
        return 128 + self.signal

    def _say_killed(self, number: int) -> int:
        limit = limit_note()
        what = "stopped responding" if self.silent else f"was killed by {signal.Signals(number).name}"
        why = "somebody killed it or memory ran out" if number == signal.SIGKILL and not limit else "memory ran out"
        print(f"error: the command {what}, most likely because {why}{limit}; {MEMORY_ADVICE}", file=sys.stderr)
        print(STOPPED, file=sys.stderr)
        return ExitCode.FAILED


def supervised(command: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of `effnet` run under `supervise`."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        debug = "--debug" in sys.argv
        if source := given.get("source"):
            source.load()  # an error in it is reported at once
        raise typer.Exit(supervise(functools.partial(command, **given), debug))

    return run


def _be_child(work: Callable[[], None], debug: bool, parent: int, beat: int, mask: set[int | signal.Signals]) -> None:
    """Does the work and ends the process, without exit handlers: TensorFlow's destructors can wait on dead locks."""
    code: int = ExitCode.FAILED
    try:
        with handling(heeded(), raise_stopped):
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _die_with(parent)
            threading.Thread(target=_show_life, args=(beat,), daemon=True).start()
            work()
            code = 0
    except Stopped as stopped:
        code = stopped.exit_status
    except typer.Exit as done:
        code = done.exit_code
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except Exception as error:  # the outermost frame of this process
        code = report(error, debug)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Ends this process with its parent, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(ExitCode.FAILED)


def _show_life(beat: int) -> None:
    """Needs Python's global lock, which a thread stuck in C++ holds."""
    while True:
        try:
            os.write(beat, b".")
        except BrokenPipeError:
            os._exit(ExitCode.FAILED)  # where the kernel does not end it with its parent
        time.sleep(BEAT)


def _descendants(process: int) -> list[int]:
    """Ids of all processes below one; none where there is no /proc."""
    parents = dict(_parents())
    found, todo = [], [process]
    while todo:
        above = todo.pop()
        below = [one for one, parent in parents.items() if parent == above]
        found += below
        todo += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The second field is the program's name in brackets, and may hold anything.
            yield int(entry.parent.name), int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])


def _kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
