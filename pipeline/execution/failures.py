"""An error in one line that says what happened and what to do, even where a library's own message misleads."""

import errno
import os
import re
import resource
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import one_line
from components.common.events import RunEnded, emit
from components.common.files import nearest_folder
from components.common.human_format import byte_count, shortened
from components.common.printable import printable
from pipeline.config.model import ConfigError
from pipeline.config.secrets import hide_secrets
from pipeline.execution.beam_engine import cause_of
from pipeline.exit_codes import ExitCode

# How TensorFlow, glibc's loader, Arrow and Python say it.
_NO_MEMORY = re.compile(
    r"bad_alloc|Cannot allocate memory|failed to map segment|can't start new thread|malloc of size|"
    r"\bOOM\b|out of memory|Resource temporarily unavailable"
)
_DISK_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded|\bENOSPC\b")
_READ_ONLY = re.compile(r"Read-only file system|attempt to write a readonly database")
SHARED_MEMORY = Path("/dev/shm")
LONGEST_MESSAGE = 300  # characters of a library's own message that stand beside ours


def describe(error: BaseException, folder: Path | None = None) -> str:
    """An error in one line, without secrets.

    Args:
        error: that ended a command.
        folder: where the command writes; None if that is not known.
    """
    text = hide_secrets(cause_of(one_line(error)))
    chain = list(_chain(error))
    if any(isinstance(one, MemoryError) or _NO_MEMORY.search(str(one)) for one in chain):
        return f"out of memory{limit_note()}: {shortened(text, LONGEST_MESSAGE)}; {MEMORY_ADVICE}"
    if any(_has(one, errno.ENOSPC, errno.EDQUOT) or _DISK_FULL.search(str(one)) for one in chain):
        where = next((str(one.filename) for one in chain if isinstance(one, OSError) and one.filename), "")
        return (
            f"the disk is full{_free(where, folder)}; free some space, such as with `effnet clean --yes`, and run again"
        )
    if any(_is_semaphore(one) for one in chain):
        return (
            f"{SHARED_MEMORY} is not writable, and processes on this machine communicate through it; mount it as a "
            "tmpfs (in Docker: --shm-size=1g, and --tmpfs /dev/shm with --read-only)"
        )
    if any(_has(one, errno.EROFS) or _READ_ONLY.search(str(one)) for one in chain) and folder:
        return f"{folder} is on a read-only file system; set runners.local.root to a folder that you can write to"
    return text


MEMORY_ADVICE = "raise the limit, close other programs, or lower train.batch_size or model.image_size"


def report(error: Exception, debug: bool) -> ExitCode:
    """Reports an error that ends a command other than a run; returns the command's exit status.

    Args:
        error: shown in one line on stderr, and sent to those who listen to events.
        debug: whether its traceback is shown as well.
    """
    if debug:
        print(safe_traceback(error), file=sys.stderr)
    status = ExitCode.USAGE if isinstance(error, ConfigError) else ExitCode.FAILED
    line = describe(error)
    emit(RunEnded(status, line))
    print(f"error: {line}", file=sys.stderr)
    return status


def safe_traceback(error: BaseException) -> str:
    """The traceback of an error, without secrets and terminal codes."""
    return printable(hide_secrets("".join(traceback.format_exception(error))), keep="\n\t")


def memory_limit() -> int | None:
    """Bytes of address space that this process may use (`ulimit -v`); None: no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def limit_note() -> str:
    """The limit of `memory_limit`, in brackets after a space; "" if there is none."""
    limit = memory_limit()
    return f" (the address space is limited to {byte_count(limit)}, see `ulimit -v`)" if limit else ""


def _free(where: str, folder: Path | None) -> str:
    place = Path(where) if where else folder
    if place is None:
        return ""
    existing = nearest_folder(place)
    return f" ({existing} has {byte_count(shutil.disk_usage(existing).free)} left)"


def _is_semaphore(error: BaseException) -> bool:
    """Whether multiprocessing could not make a semaphore, for which neither message nor error names the folder."""
    return (
        isinstance(error, OSError)
        and error.filename is None
        and error.errno in (errno.EROFS, errno.EACCES, errno.ENOENT, errno.ENOSYS)
        and SHARED_MEMORY.parent.exists()
        and not os.access(SHARED_MEMORY, os.W_OK | os.X_OK)
    )


def _has(error: BaseException, *numbers: int) -> bool:
    return isinstance(error, OSError) and error.errno in numbers


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
