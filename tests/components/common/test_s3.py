"""Reading from a store that speaks S3: moto's server on this machine, and one that only ever refuses."""

import http.server
import secrets
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from components.common import files, s3
from components.common.errors import StorageError


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(monkeypatch) -> Callable[..., None]:
    """Set what a user sets: environment(endpoint)."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def apply(endpoint: str, **changes: str) -> None:
        values = {"AWS_ENDPOINT_URL_S3": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
        values |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"} | changes
        for name, value in values.items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
        s3._client.cache_clear()

    yield apply
    s3._client.cache_clear()


@pytest.fixture
def bucket(endpoint, environment) -> str:
    """A new bucket."""
    environment(endpoint)
    name = f"photos-{secrets.token_hex(4)}"
    s3.client().create_bucket(Bucket=name)
    return name


def test_bytes_are_read_as_they_are(bucket):
    s3.client().put_object(Bucket=bucket, Key="a b/é [1].gz", Body=b"0123456789")
    path = f"s3://{bucket}/a b/é [1].gz"
    assert files.read_bytes(path) == b"0123456789"
    assert files.read_range(path, 2, 3) == b"234"
    assert files.read_range(path, 4, 0) == b""
    for offset in (8, 20):
        with pytest.raises(OSError, match="ends before byte"):
            files.read_range(path, offset, 3)
    with files.open_binary(path) as file:
        assert file.seek(0, 2) == 10
        file.seek(7)
        assert file.read(10) == b"789"
    with pytest.raises(FileNotFoundError, match=f"there is nothing at s3://{bucket}/none"):
        files.read_bytes(f"s3://{bucket}/none")
    with pytest.raises(FileNotFoundError):
        files.open_binary(f"s3://{bucket}/none")


def test_a_folder_of_more_than_an_answer_holds_is_listed_whole(bucket, monkeypatch):
    monkeypatch.setattr(s3, "MOST_LISTED", 5)
    names = {f"train/{label}/{number}.png" for label in "abc" for number in range(7)} | {"train/labels.csv", "top"}
    for name in sorted(names):
        s3.client().put_object(Bucket=bucket, Key=name, Body=name.encode())
    s3.client().put_object(Bucket=bucket, Key="train/marker/", Body=b"")
    s3.client().put_object(Bucket=bucket, Key="trainer/x", Body=b"beside the folder")
    assert files.sizes(f"s3://{bucket}/train") == {
        name.removeprefix("train/"): len(name) for name in names if name != "top"
    }
    assert set(files.walk(f"s3://{bucket}")) == names | {"trainer/x"}
    assert files.walk(f"s3://{bucket}/none") == []
    modified = {item.modified for item in s3.list_below(f"s3://{bucket}/train/a")}
    assert all(abs(time.time() - each) < 600 for each in modified)


def test_beams_options_win_over_the_environment(bucket, environment, endpoint):
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    s3.client().put_object(Bucket=bucket, Key="x", Body=b"x")
    environment("http://127.0.0.1:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileSystems, "_pipeline_options", PipelineOptions([f"--s3_endpoint_url={endpoint}"]))
        assert files.read_bytes(f"s3://{bucket}/x") == b"x"


class Refusal(http.server.BaseHTTPRequestHandler):
    """Answers every request with the server's error, as S3 writes it."""

    def do_GET(self):
        self.server.asked += 1
        status, code = self.server.answer
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>text</Message></Error>".encode()
        if not code:
            body = b"<html>It works!</html>" if status == 200 else b""
        if code == "silence":
            time.sleep(5)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def refusing(environment):
    """A server that gives one answer only: no account here can be refused by Amazon's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment(f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "InvalidAccessKeyId", "does not know the access key; correct AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "the secret key is not the access key's"),
        (400, "ExpiredToken", "the session token has expired; get a new one"),
        (403, "RequestTimeTooSkewed", "this machine's clock is wrong"),
        (403, "AccessDenied", "may not do this; grant s3:ListBucket and s3:GetObject"),
        (403, "", "the keys are wrong or may not do this"),
        (404, "NoSuchBucket", "no such bucket; correct the path"),
        (301, "PermanentRedirect", "sends every request elsewhere; correct AWS_ENDPOINT_URL_S3"),
        (400, "AuthorizationHeaderMalformed", "in another region"),
        (200, "", "no S3 store; correct AWS_ENDPOINT_URL_S3"),
        (418, "Teapot", "Teapot"),
    ],
)
def test_what_the_store_refuses_is_named_at_once(refusing, status, code, message):
    refusing.answer = (status, code)
    with pytest.raises(StorageError, match=message) as refused:
        files.walk("s3://photos/folder")
    assert str(refused.value).startswith("s3://photos/folder/: ")
    assert refusing.asked == 1 or code == "PermanentRedirect", "a refusal does not change by asking again"


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_an_overloaded_store_is_asked_a_few_times(refusing, code, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    refusing.answer = (503 if code == "SlowDown" else 500, code)
    with pytest.raises(StorageError, match=f"{s3.ATTEMPTS} times in a row; try again later"):
        files.read_bytes("s3://photos/x")
    assert refusing.asked == s3.ATTEMPTS


def test_a_silent_store_is_given_up(refusing, monkeypatch):
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    refusing.answer = (200, "silence")
    started = time.monotonic()
    with pytest.raises(StorageError, match="the store was silent"):
        files.read_bytes("s3://photos/x")
    assert time.monotonic() - started < 5


def test_keys_and_addresses_that_are_none_are_named(environment):
    environment("http://127.0.0.1:1")
    with pytest.raises(StorageError, match="cannot be reached; correct AWS_ENDPOINT_URL_S3"):
        files.read_bytes("s3://photos/x")
    environment("no address")
    with pytest.raises(StorageError, match=r"s3://photos/x: .*endpoint"):
        files.read_bytes("s3://photos/x")
    environment("http://127.0.0.1:1", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_CONFIG_FILE="/none")
    with pytest.raises(StorageError, match="no keys were found; set AWS_ACCESS_KEY_ID"):
        files.read_bytes("s3://photos/x")
    with pytest.raises(StorageError, match="names no bucket"):
        files.walk("s3://")
