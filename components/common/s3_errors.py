"""What a store that speaks S3 refuses, and boto3's own errors, in one line that says what to do."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from components.common.errors import StorageError

ATTEMPTS, READ_SECONDS = 4, 15
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
Answer = TypeVar("Answer")


def explained(path: str, ask: Callable[[], Answer], expected: Mapping[str, Answer] = MappingProxyType({})) -> Answer:
    """Returns the answer of `ask` about `path`; a refusal becomes an error that says what to do.

    Args:
        path: s3://bucket/key.
        ask: makes a request with boto3.
        expected: a code of the store's -> what that answer means.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: for all else.
    """
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
