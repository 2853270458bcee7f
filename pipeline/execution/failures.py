"""An error in one line that says what happened and what to do, also where a library's own words mislead."""

import errno
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import one_line
from pipeline.config.model import ConfigError
from pipeline.config.secrets import hide_secrets
from pipeline.exit_codes import ExitCode

# TensorFlow's, glibc's loader's, Arrow's and Python's words for it.
_NO_MEMORY = re.compile(
    r"bad_alloc|Cannot allocate memory|failed to map segment|can't start new thread|malloc of size|"
    r"\bOOM\b|out of memory|Resource temporarily unavailable"
)
_DISK_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded|\bENOSPC\b")
_READ_ONLY = re.compile(r"Read-only file system|attempt to write a readonly database")
SHARED_MEMORY = Path("/dev/shm")


def describe(error: BaseException, folder: Path | None = None) -> str:
    """The line to show for an error.

    Args:
        error: what a command ended with.
        folder: of what it wrote; None where that is not known.
    """
    text = hide_secrets(one_line(error))
    chain = list(_chain(error))
    if any(isinstance(one, MemoryError) or _NO_MEMORY.search(str(one)) for one in chain):
        return f"out of memory{_limits()}: {_shortened(text)}; {MEMORY_ADVICE}"
    if any(_has(one, errno.ENOSPC, errno.EDQUOT) or _DISK_FULL.search(str(one)) for one in chain):
        where = next((str(one.filename) for one in chain if isinstance(one, OSError) and one.filename), "")
        return f"the disk is full{_free(where, folder)}; make room, such as with `effnet clean --yes`, and run again"
    if any(_is_semaphore(one) for one in chain):
        return (
            f"{SHARED_MEMORY} cannot be written, which processes of this machine talk through: mount it as a tmpfs "
            "(in Docker: --shm-size=1g and no --read-only without a --tmpfs /dev/shm)"
        )
    if any(_has(one, errno.EROFS) or _READ_ONLY.search(str(one)) for one in chain) and folder:
        return f"{folder} is on a file system that can only be read: set runners.local.root to one that can be written"
    return text


MEMORY_ADVICE = "raise the limit, close other programs, or lower train.batch_size or model.image_size"


def exit_status(error: Exception) -> ExitCode:
    """How a command ends that this error ends, other than a run."""
    return ExitCode.USAGE if isinstance(error, ConfigError) else ExitCode.FAILED


def memory_limit() -> int | None:
    """Bytes of address space that this process may take (`ulimit -v`); None for any."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _limits() -> str:
    limit = memory_limit()
    return f" (the address space is limited to {limit / 1e9:.1f} GB, see `ulimit -v`)" if limit else ""


def _free(where: str, folder: Path | None) -> str:
    place = Path(where) if where else folder
    existing = next((one for one in (place, *place.parents) if one.exists()), None) if place else None
    if existing is None:
        return ""
    return f" ({existing} has {shutil.disk_usage(existing).free / 1e6:.0f} MB left)"


def _is_semaphore(error: BaseException) -> bool:
    """Of multiprocessing's semaphores neither the message nor the error names the folder."""
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


def _shortened(text: str, longest: int = 300) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
