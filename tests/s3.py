"""Amazon's S3 on this machine: moto's server, and the settings by which every client finds it."""

import contextlib
import urllib.request
from collections.abc import Iterator

import pytest

REGION = "eu-west-1"


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Serves an empty store, sets the environment for it, and yields its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    # What moto stores is the process's: a test before may have left something.
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": address,
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})
        try:
            yield address
        finally:
            server.stop()
