"""The content of an artifact when its step ended, noted beside it, so that a cache hit can check it.

    <root>/<component>/<output>/<execution>/                     the artifact
    <root>/<component>/.system/contents/<output>/<execution>.json   its note

ML Metadata knows only that a folder exists. After a power cut its files may be empty, and a bad disk or a user may
change them later. The note is on the disk before the step counts as done.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from components.common import durable, files
from components.common.events import report_progress


@dataclass(frozen=True)
class FileState:
    """A file as it was when its content was known.

    Attributes:
      size: bytes.
      sha256: of the content, 64 hex digits.
      inode: of the file.
      changed: when inode or content last changed (ctime), ns.
      modified: when the content was last written, unless that time was set (mtime), ns.
    """

    size: int
    sha256: str
    inode: int
    changed: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Reads the file."""
        status = path.stat()
        return cls(status.st_size, files.sha256(str(path)), status.st_ino, status.st_ctime_ns, status.st_mtime_ns)

    def is_untouched(self, path: Path) -> bool:
        """Whether the file is as it was, so that its content need not be read."""
        status = path.stat()
        seen = (status.st_size, status.st_ino, status.st_ctime_ns, status.st_mtime_ns)
        return seen == (self.size, self.inode, self.changed, self.modified)


def seal(uri: str) -> None:
    """Waits until an artifact is on the disk, and notes its content; in an object store it is complete anyway.

    Raises:
      OSError: the disk fails.
    """
    folder = Path(uri)
    if files.is_remote(uri) or not folder.exists():
        return
    durable.sync_tree(folder)
    for above in list(folder.parents)[:3]:  # output, component and root
        durable.sync_folder(above)
    _write(uri, {name: FileState.of(folder / name) for name in files.walk(uri)})


def find_damage(uri: str) -> str | None:
    """Compares an artifact with its note.

    Sizes are always compared, contents where inode, ctime or mtime changed, as they do when a backup is restored.

    Returns:
      What is wrong, "" if nothing is; None if nothing was noted, as by earlier versions of this project.
    """
    if files.is_remote(uri):
        return ""
    try:
        noted = {name: FileState(**state) for name, state in json.loads(files.read_bytes(str(_note(uri)))).items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError):
        return "the note of its content is damaged"
    touched = {}
    for name, state in noted.items():
        path = Path(uri, name)
        try:
            size = path.stat().st_size
            if size != state.size:
                return f"{name} has {size:,} bytes, expected {state.size:,}"
            if not state.is_untouched(path):
                report_progress(f"reading {path}, which changed since it was made")
                touched[name] = FileState.of(path)
                if touched[name].sha256 != state.sha256:
                    return f"{name} has another content than when it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    if touched:
        _write(uri, noted | touched)
    return ""


def forget(uri: str) -> None:
    """Deletes the note of an artifact that is deleted."""
    _note(uri).unlink(missing_ok=True)


def _note(uri: str) -> Path:
    component, output, execution = Path(uri).parts[-3:]
    return Path(uri).parents[2] / component / ".system" / "contents" / output / f"{execution}.json"


def _write(uri: str, states: dict[str, FileState]) -> None:
    files.write_text(str(_note(uri)), json.dumps({name: asdict(state) for name, state in states.items()}))
