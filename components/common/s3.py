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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from components.common.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer
    from botocore.client import BaseClient

SCHEME = "s3://"
CONNECTIONS = 16  # requests at a time
MOST_LISTED = 1000  # objects in an answer; stores give no more
PIECE_BYTES = 4 << 20  # of what is read piece by piece
ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 4, 5, 15
_OPTIONS = {
    "s3_access_key_id": "aws_access_key_id",
    "s3_secret_access_key": "aws_secret_access_key",
    "s3_session_token": "aws_session_token",
    "s3_endpoint_url": "endpoint_url",
    "s3_region_name": "region_name",
    "s3_verify": "verify",
}
_REGION = "such as AWS_DEFAULT_REGION=eu-central-1"
_KEYS = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile in ~/.aws"
_ENDPOINT = "correct AWS_ENDPOINT_URL_S3, or unset it for Amazon's own store"
# The store's code, or boto3's exception -> what is wrong, and what to do.
_PROBLEMS: Mapping[str, str] = {
    "NoCredentialsError": f"no keys were found; {_KEYS.replace('correct', 'set')}",
    "PartialCredentialsError": f"only one of the two keys was found; {_KEYS}",
    "ProfileNotFound": "there is no such profile in ~/.aws; correct AWS_PROFILE",
    "InvalidAccessKeyId": f"the store does not know the access key; {_KEYS}",
    "SignatureDoesNotMatch": f"the secret key is not the access key's; {_KEYS}",
    "ExpiredToken": "the session token has expired; get a new one and run again",
    "TokenRefreshRequired": "the session token has expired; get a new one and run again",
    "InvalidToken": "the session token is not valid; correct or unset AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "AccessDenied": "the keys are valid but may not do this; grant s3:ListBucket and s3:GetObject on it",
    "403": "the keys are wrong or may not do this; " + _KEYS,
    "NoSuchBucket": "there is no such bucket; correct the path",
    "InvalidBucketName": "this cannot be the name of a bucket; correct the path",
    "PermanentRedirect": f"the bucket is in another region; set it, {_REGION}",
    "AuthorizationHeaderMalformed": f"the bucket is in another region; set it, {_REGION}",
    "IllegalLocationConstraintException": f"the bucket is in another region; set it, {_REGION}",
    "301": f"the bucket is in another region; set it, {_REGION}",
    "NoRegionError": f"no region is set; set it, {_REGION}",
    "InvalidRegionError": f"the region cannot be one; set it, {_REGION}",
    "EndpointConnectionError": f"the store cannot be reached; {_ENDPOINT}",
    "ConnectTimeoutError": f"the store does not answer; {_ENDPOINT}",
    "ProxyConnectionError": "the proxy cannot be reached; correct HTTPS_PROXY",
    "SSLError": f"the connection is not secure; {_ENDPOINT}, or name the store's certificate in AWS_CA_BUNDLE",
    "RecursionError": f"the store sends every request elsewhere; {_ENDPOINT}",
    "ResponseParserError": f"what answered is no S3 store; {_ENDPOINT}",
    "ReadTimeoutError": f"the store was silent for {READ_SECONDS} s, {ATTEMPTS} times; try again later",
    "SlowDown": f"the store is overloaded, {ATTEMPTS} times in a row; try again later",
    "503": f"the store is overloaded, {ATTEMPTS} times in a row; try again later",
    "500": f"the store failed {ATTEMPTS} times in a row; try again later",
    "InternalError": f"the store failed {ATTEMPTS} times in a row; try again later",
}
_MISSING = ("NoSuchKey", "404")
_MAKING = threading.Lock()  # boto3 makes clients in one thread at a time
Answer = TypeVar("Answer")


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

    return _explained(path, ask, {"InvalidRange": b""})


def size_of(path: str) -> int:
    """Returns how many bytes an object has.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: if the store does not say.
    """
    bucket, key = split(path)
    return _explained(path, lambda: int(client().head_object(Bucket=bucket, Key=key)["ContentLength"]))


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

    return _explained(f"{SCHEME}{bucket}/{prefix}", ask)


def _objects(bucket: str, page: Mapping[str, Any]) -> Iterator[StoredObject]:
    for item in page.get("Contents", []):
        yield StoredObject(f"{SCHEME}{bucket}/{item['Key']}", item["Size"], item["LastModified"].timestamp())


def _explained(path: str, ask: Callable[[], Answer], expected: Mapping[str, Answer] = MappingProxyType({})) -> Answer:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError

    try:
        return ask()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        if code in _MISSING:
            raise FileNotFoundError(f"there is nothing at {path}") from error
        if code in expected:
            return expected[code]
        problem = _PROBLEMS.get(code) or _PROBLEMS.get(status) or str(error)
    except (BotoCoreError, HTTPClientError, ResponseParserError, RecursionError, ValueError) as error:
        kinds = (kind.__name__ for kind in type(error).__mro__)
        problem = next((_PROBLEMS[kind] for kind in kinds if kind in _PROBLEMS), f"{type(error).__name__}: {error}")
    raise StorageError(f"{path}: {problem}")


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
    given = dict(RuntimeValueProvider.runtime_options or {})
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
