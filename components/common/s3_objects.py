"""Writes objects of S3 and of stores that speak its protocol: in one request, and if need be only on a condition.

Beam's file system takes three requests for each, and none at all for an object without a byte, which S3 refuses.
"""

from collections.abc import Callable
from typing import BinaryIO, TypeVar

from components.common.errors import one_line
from components.common.s3 import client

Answer = TypeVar("Answer")


class Refused(OSError):
    """A store did not do what it was asked for.

    Attributes:
        status: of HTTP, such as 412 where a condition did not hold; 0 if there was no answer.
    """

    def __init__(self, message: str, status: int = 0, code: str = ""):
        super().__init__(message)
        self.status, self.code = status, code


def put(path: str, content: bytes, **condition: str) -> None:
    """Writes an object, with IfMatch or IfNoneMatch only if that holds.

    Raises:
        Refused: if it was not written.
    """
    _asked(path, lambda: client().put_object(**place(path), Body=content, **condition))


def upload(path: str, source: BinaryIO) -> None:
    """Writes an object of any size.

    Raises:
        Refused: if it was not written.
    """
    _asked(path, lambda: client().upload_fileobj(source, *place(path).values()))


def get(path: str) -> tuple[bytes, str]:
    """Returns an object's content, and its tag for IfMatch.

    Raises:
        Refused: if it cannot be read; 404 if there is none.
    """

    def ask() -> tuple[bytes, str]:
        found = client().get_object(**place(path))
        return found["Body"].read(), found["ETag"]

    return _asked(path, ask)


def delete(path: str) -> None:
    """Deletes an object; nothing happens if there is none.

    Raises:
        Refused: if it was not deleted.
    """
    _asked(path, lambda: client().delete_object(**place(path)))


def place(path: str) -> dict[str, str]:
    """Returns s3://bucket/key in parts, as boto3's arguments."""
    bucket, _, key = path.partition("://")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


def _asked(path: str, ask: Callable[[], Answer]) -> Answer:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise Refused(f"{path}: {one_line(error)}", status, code) from error
    except (Boto3Error, BotoCoreError) as error:
        raise Refused(f"{path}: {one_line(error)}") from error
