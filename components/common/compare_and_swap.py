"""One object on a storage that several writers replace: a write counts only if nobody wrote since its writer has read.

Amazon's S3 and those that follow it compare ETags, Google's compares generations. Elsewhere, and on an S3 that passes
over the condition, a writer looks again after a while whether its own content is still there: the last one wins.
"""

import time
from dataclasses import dataclass
from typing import Any, Protocol

from components.common import files, s3_objects
from components.common.errors import one_line
from components.common.s3_objects import Refused, place

SETTLE_SECONDS = 2.0  # between write and second look, where a storage cannot compare
ABSENT = 404
CHANGED = (ABSENT, 409, 412)  # gone meanwhile, another write under way, another content
NO_CONDITIONS = (400, 501)  # what stores answer that do not know the header


class Conflict(OSError):
    """Somebody else wrote meanwhile."""


@dataclass(frozen=True)
class Snapshot:
    """What an object held when it was read.

    Attributes:
        content: None if there was no such object.
        tag: the storage's name for that content.
    """

    content: bytes | None = None
    tag: str = ""


class _Storage(Protocol):
    def read(self, path: str) -> Snapshot: ...

    def replace(self, path: str, content: bytes, seen: Snapshot, scratch: str) -> None: ...


def read(path: str) -> Snapshot:
    """Returns what a remote object holds.

    Raises:
        OSError: if it cannot be read.
    """
    return _storage_of(path).read(path)


def replace(path: str, content: bytes, seen: Snapshot, scratch: str) -> None:
    """Writes a remote object whose content is still the one that was `seen`.

    Args:
        path: of the object.
        content: no two writers may write the same one.
        seen: what `read` returned.
        scratch: an object that nobody else writes, to try what the store can do; a kill may leave it.

    Raises:
        Conflict: if somebody else wrote meanwhile.
        OSError: if it cannot be written.
    """
    storage = _storage_of(path)
    try:
        storage.replace(path, content, seen, scratch)
    except Conflict:
        # A request that was sent again after its answer was lost meets its own first try.
        if storage.read(path).content != content:
            raise


def _storage_of(path: str) -> _Storage:
    scheme = path.partition("://")[0].lower()
    known: dict[str, type[_Storage]] = {"s3": _S3, "gs": _Google}
    return known.get(scheme, _LastWins)()


class _LastWins:
    """A storage that cannot compare."""

    def read(self, path: str) -> Snapshot:
        return Snapshot(files.read_bytes(path)) if files.exists(path) else Snapshot()

    def replace(self, path: str, content: bytes, seen: Snapshot, scratch: str) -> None:
        if self.read(path).content != seen.content:
            raise Conflict(f"{path} was written meanwhile")
        files.write_bytes(path, content)
        time.sleep(SETTLE_SECONDS)
        if self.read(path).content != content:
            raise Conflict(f"{path} was written meanwhile")


class _S3:
    def read(self, path: str) -> Snapshot:
        try:
            return Snapshot(*s3_objects.get(path))
        except Refused as error:
            if error.status == ABSENT and error.code != "NoSuchBucket":
                return Snapshot()
            raise

    def replace(self, path: str, content: bytes, seen: Snapshot, scratch: str) -> None:
        if not self._compares(scratch):
            _LastWins().replace(path, content, seen, scratch)
        elif not self._put(path, content, {"IfMatch": seen.tag} if seen.tag else {"IfNoneMatch": "*"}):
            raise Conflict(f"{path} was written meanwhile")

    def _compares(self, probe: str) -> bool:
        """Tells whether the store heeds a condition: some know the header and do as if it were not there."""
        s3_objects.put(probe, b"")
        try:
            return not self._put(probe, b"", {"IfNoneMatch": "*"})
        except Refused as error:
            if error.status in NO_CONDITIONS:
                return False
            raise
        finally:
            s3_objects.delete(probe)

    def _put(self, path: str, content: bytes, condition: dict[str, str]) -> bool:
        """Writes the object, and returns whether the condition held."""
        try:
            s3_objects.put(path, content, **condition)
        except Refused as error:
            if error.status in CHANGED and error.code != "NoSuchBucket":
                return False
            raise
        return True


class _Google:
    def __init__(self) -> None:
        from apache_beam.io.gcp.gcsio import create_storage_client

        self._client: Any = create_storage_client(files.storages()._pipeline_options)

    def read(self, path: str) -> Snapshot:
        from google.api_core.exceptions import GoogleAPIError, NotFound

        bucket, key = place(path).values()
        try:
            found = self._client.bucket(bucket).get_blob(key)
            if found is None:
                return Snapshot()
            return Snapshot(found.download_as_bytes(if_generation_match=found.generation), str(found.generation))
        except NotFound:  # replaced between the two requests: whoever writes after this reading loses, as it should
            return Snapshot()
        except GoogleAPIError as error:
            raise OSError(f"{path} cannot be read: {one_line(error)}") from error

    def replace(self, path: str, content: bytes, seen: Snapshot, scratch: str) -> None:
        from google.api_core.exceptions import GoogleAPIError, PreconditionFailed

        bucket, key = place(path).values()
        blob = self._client.bucket(bucket).blob(key)
        try:
            blob.upload_from_string(content, if_generation_match=int(seen.tag or 0))
        except PreconditionFailed as error:
            raise Conflict(f"{path} was written meanwhile") from error
        except GoogleAPIError as error:
            raise OSError(f"{path} cannot be written: {one_line(error)}") from error
