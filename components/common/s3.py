"""Reads S3 and stores that speak its protocol: one client a process, bounded retries, errors that say what to do.

Beam's own file system makes a client for every file, which takes longer than to read one, and asks for a file's size
before it reads it. Keys, region and another store's address come from the environment and AWS's own files, as for
every program that uses boto3, or from Beam's options `--s3_*`, which reach workers on other machines.

Importing this module loads no boto3; the first request does.
"""

import functools
import io
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from components.common.errors import StorageError
from components.common.s3_errors import ATTEMPTS, READ_SECONDS, explained

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer
    from botocore.client import BaseClient

SCHEME = "s3://"
CONNECTIONS = 16  # requests at a time
MOST_LISTED = 1000  # objects in an answer; stores give no more
PIECE_BYTES = 4 << 20  # of what is read piece by piece
CONNECT_SECONDS = 5
_OPTIONS = {
    "s3_access_key_id": "aws_access_key_id",
    "s3_secret_access_key": "aws_secret_access_key",
    "s3_session_token": "aws_session_token",
    "s3_endpoint_url": "endpoint_url",
    "s3_region_name": "region_name",
    "s3_verify": "verify",
}
_MAKING = threading.Lock()  # boto3 makes clients in one thread at a time


@dataclass(frozen=True)
class StoredObject:
    """An object: its path with the scheme, its bytes and when it was written, in s since 1970."""

    path: str
    size: int
    modified: float


def split(path: str) -> tuple[str, str]:
    """Returns the bucket and the key of s3://bucket/key.

    Raises:
        StorageError: if no bucket is named.
    """
    bucket, _, key = path.removeprefix(SCHEME).partition("/")
    if not bucket or not path.startswith(SCHEME):
        raise StorageError(f"{path}: names no bucket; expected s3://BUCKET/FOLDER")
    return bucket, key


def read(path: str, offset: int = 0, size: int | None = None) -> bytes:
    """Returns an object's bytes, or `size` of them from `offset` on; fewer where it ends, in one request.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: if the store does not give it.
    """
    if size == 0:
        return b""
    bucket, key = split(path)
    last = "" if size is None else offset + size - 1
    span = {"Range": f"bytes={offset}-{last}"} if offset or size is not None else {}

    def ask() -> bytes:
        content: bytes = client().get_object(Bucket=bucket, Key=key, **span)["Body"].read()
        return content

    return explained(path, ask, {"InvalidRange": b""})


def size_of(path: str) -> int:
    """Returns how many bytes an object has.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: if the store does not say.
    """
    bucket, key = split(path)
    return explained(path, lambda: int(client().head_object(Bucket=bucket, Key=key)["ContentLength"]))


def open_binary(path: str) -> BinaryIO:
    """Opens an object to read it piece by piece; it can seek.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: if the store does not give it.
    """
    return cast(BinaryIO, io.BufferedReader(_Pieces(path), PIECE_BYTES))


class _Pieces(io.RawIOBase):
    """An object of which each read is a request."""

    def __init__(self, path: str):
        self._path, self._size, self._place = path, size_of(path), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        wanted = min(len(view), max(self._size - self._place, 0))
        data = read(self._path, self._place, wanted)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)


def list_below(path: str) -> list[StoredObject]:
    """Returns all objects whose path starts with `path`, in no order; none if there are none.

    The folders of a tree that is too large for one answer are listed side by side.

    Raises:
        StorageError: if the store does not list them.
    """
    bucket, prefix = split(path)
    first = _page(bucket, prefix)
    if not first.get("IsTruncated"):
        return list(_objects(bucket, first))
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        found, folders = _level(bucket, prefix)
        while len(folders) == 1:  # such as train/, above the folders of the classes
            more, folders = _level(bucket, folders[0])
            found += more
        for below in threads.map(lambda folder: _all(bucket, folder), folders):
            found += below
    return found


def first_below(path: str) -> str:
    """Returns the path of an object below a folder, "" if there is none; as `list_below`."""
    bucket, prefix = split(f"{path.rstrip('/')}/")
    return next((item.path for item in _objects(bucket, _page(bucket, prefix)) if not item.path.endswith("/")), "")


def _level(bucket: str, prefix: str) -> tuple[list[StoredObject], list[str]]:
    """The objects in a folder, and the prefixes of its folders."""
    found: list[StoredObject] = []
    folders: list[str] = []
    for page in _pages(bucket, prefix, Delimiter="/"):
        found += _objects(bucket, page)
        folders += [folder["Prefix"] for folder in page.get("CommonPrefixes", [])]
    return found, folders


def _all(bucket: str, prefix: str) -> list[StoredObject]:
    return [item for page in _pages(bucket, prefix) for item in _objects(bucket, page)]


def _pages(bucket: str, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
    page = _page(bucket, prefix, **more)
    yield page
    while page.get("IsTruncated"):
        page = _page(bucket, prefix, **more, ContinuationToken=page["NextContinuationToken"])
        yield page


def _page(bucket: str, prefix: str, **more: str) -> dict[str, Any]:
    from botocore.parsers import ResponseParserError

    def ask() -> dict[str, Any]:
        answer: dict[str, Any] = client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=MOST_LISTED, **more)
        if "Name" not in answer:  # boto3 reads what it knows from any page
            raise ResponseParserError
        return answer

    return explained(f"{SCHEME}{bucket}/{prefix}", ask)


def _objects(bucket: str, page: Mapping[str, Any]) -> Iterator[StoredObject]:
    for item in page.get("Contents", []):
        yield StoredObject(f"{SCHEME}{bucket}/{item['Key']}", item["Size"], item["LastModified"].timestamp())


def client() -> "BaseClient":
    """Returns this process's client for what the environment and Beam's options say now; threads may share it."""
    with _MAKING:
        return _client(tuple(sorted(_given().items())))


def _given() -> dict[str, str | bool]:
    """The arguments of a client that Beam's options hold, in a worker or in the process that runs a pipeline."""
    if "apache_beam" not in sys.modules:
        return {}
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import S3Options
    from apache_beam.options.value_provider import RuntimeValueProvider

    options = FileSystems._pipeline_options
    given: dict[str, str | bool] = dict(RuntimeValueProvider.runtime_options or {})
    if options is not None:
        given |= options.view_as(S3Options).get_all_options(drop_default=True)
    return {name: given[option] for option, name in _OPTIONS.items() if given.get(option) is not None}


@functools.cache
def _client(given: tuple[tuple[str, str | bool], ...]) -> "BaseClient":
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        # Stores other than Amazon's do not know the checksums that boto3 asks for since 1.36.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", config=config, **dict(given))
