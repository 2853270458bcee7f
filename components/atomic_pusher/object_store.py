"""Versions on an object store, which cannot rename a folder and has no locks.

    .incoming-<push>/...   what a push brings, under a name of its own
    .pushed.json           the last push that counts: {"version", "push"}
    <version>/...          what is served; saved_model.pb, without which nobody takes it for a model, is copied last

A push counts from the moment that it replaced .pushed.json, which goes through only if no other push did so since it
looked at what is served. Of two at once one fails, whatever they brought. Were it killed before it has copied its files
to the version's folder, the next push does that first: it is the same work whoever does it.
"""

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator

from components.common import compare_and_swap, files
from components.common.compare_and_swap import Snapshot
from components.common.errors import Overtaken, PushError
from components.served_model.record import RECORD_FILE, PushRecord, is_version
from components.served_model.versions import SAVED_MODEL_FILE, version_folders

POINTER_FILE = ".pushed.json"
INCOMING = ".incoming-"
PROBE = ".probe"  # among what a push brings, for a moment


class ObjectStore:
    """A folder of versions on a storage that Beam knows.

    Args:
        push_path: its URL; nothing need be there.
    """

    def __init__(self, push_path: str):
        self._path = push_path
        self._pointer = files.join(push_path, POINTER_FILE)
        self._seen = Snapshot()
        self._versions: list[str] = []
        self._others: set[str] = set()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Notes what is pushed, so that `add` fails if another push comes between; ends what a killed one began."""
        self._seen = compare_and_swap.read(self._pointer)
        if self._seen.content is not None:
            self._publish(*self._read_pointer(self._seen.content))
        self._versions = version_folders(self._path)
        self._others = {folder for folder in self._folders() if folder.startswith(INCOMING)}
        yield

    def add(self, version: str, fill: Callable[[str], PushRecord]) -> tuple[str, PushRecord]:
        """Lets `fill` write a model, which then becomes `version` or one after it; returns that and `fill`'s result.

        Raises:
            Overtaken: if another push came between.
        """
        push = secrets.token_hex(8)
        staged = self._staged(push)
        try:
            record = fill(staged)
            while files.walk(files.join(self._path, version)):  # a folder that is no model, such as one half deleted
                version = str(int(version) + 1)
            if version_folders(self._path) != self._versions:  # by a program that knows no pointer
                raise compare_and_swap.Conflict
            content = json.dumps({"version": version, "push": push}) + "\n"
            compare_and_swap.replace(self._pointer, content.encode(), self._seen, files.join(staged, PROBE))
        except BaseException as error:
            with contextlib.suppress(OSError):  # what stays is cleared away by the next push
                self._clear(staged)
            if isinstance(error, compare_and_swap.Conflict):
                raise Overtaken(
                    f"another push to {self._path} came between; nothing was pushed. Run again: "
                    "the gate then compares with that one"
                ) from error
            raise
        self._publish(version, push)
        if not files.exists(files.join(self._path, version, SAVED_MODEL_FILE)):
            raise PushError(f"version {version} is gone from {self._path} already: somebody deleted what was pushed")
        self._clear_leftovers(int(version))
        return version, record

    def remove(self, version: str) -> None:
        """Deletes a version; its saved_model.pb goes first."""
        folder = files.join(self._path, version)
        files.delete(files.join(folder, SAVED_MODEL_FILE))
        self._clear(folder)

    def _publish(self, version: str, push: str) -> None:
        """Copies a push that counts to where it is served; nothing to do if it is there, or was deleted since."""
        staged, folder = self._staged(push), files.join(self._path, version)
        if SAVED_MODEL_FILE not in (names := files.walk(staged)):
            return
        others = [name for name in names if name != SAVED_MODEL_FILE]
        try:
            for part in (others, [SAVED_MODEL_FILE]):
                files.copy_within([(files.join(staged, name), files.join(folder, name)) for name in part])
        except OSError:
            # Another process that does the same was faster, and has cleared away what is copied here.
            if not files.exists(files.join(folder, SAVED_MODEL_FILE)):
                raise
        # So that whoever comes upon the rest knows that it is of no use any more.
        with contextlib.suppress(FileNotFoundError):
            files.delete(files.join(staged, SAVED_MODEL_FILE))
        self._clear(staged)

    def _clear_leftovers(self, newest: int) -> None:
        """Deletes what pushes brought that began before this one, and what is left of versions that were being deleted.

        Such a push was killed, or has lost: the pointer is no longer the one it saw. One that begins now sees it.
        """
        for folder, names in self._folders().items():
            left = is_version(folder) and int(folder) < newest and SAVED_MODEL_FILE not in names
            if folder in self._others or (left and RECORD_FILE in names):
                self._clear(files.join(self._path, folder))

    def _folders(self) -> dict[str, set[str]]:
        """What is there: folder -> the files below it."""
        places: dict[str, set[str]] = {}
        for name in files.walk(self._path):
            folder, _, rest = name.partition("/")
            places.setdefault(folder, set()).add(rest)
        return places

    def _clear(self, folder: str) -> None:
        """Deletes what is in a folder, also where another process does the same."""
        try:
            if files.walk(folder):
                files.delete(folder)
        except OSError:
            if files.walk(folder):
                raise

    def _staged(self, push: str) -> str:
        return files.join(self._path, f"{INCOMING}{push}")

    def _read_pointer(self, content: bytes) -> tuple[str, str]:
        try:
            noted = json.loads(content)
            version, push = noted["version"], noted["push"]
            if not is_version(version) or not (push.isascii() and push.isalnum()):
                raise ValueError("no version or no push")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PushError(
                f"{self._pointer} cannot be read ({error}), so nobody knows what was pushed last; "
                "compare the versions with `effnet models`, then delete that object and run again"
            ) from error
        return version, push
