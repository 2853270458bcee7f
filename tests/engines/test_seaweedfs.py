"""Reading from SeaweedFS, a store that checks keys and rights as Amazon's does."""

import json
from collections.abc import Iterator

import pytest

from components.common import files, s3
from components.common.errors import StorageError
from components.image_example_gen.sources.listing import list_folder
from tests.components.common.test_s3 import environment  # noqa: F401 - a fixture
from tests.engines.conftest import free_port, running
from tests.engines.go_programs import program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[str]:
    """Two who may enter: one everything, the other only what is in `open`."""
    home = tmp_path_factory.mktemp("seaweedfs")
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": "secret"}], "actions": actions}
        for name, actions in {"owner": ["Admin", "Read", "Write", "List"], "guest": ["Read:open", "List:open"]}.items()
    ]
    (home / "s3.json").write_text(json.dumps({"identities": identities}))
    (home / "data").mkdir()
    port = free_port()
    command = [program("weed"), "server", f"-dir={home / 'data'}", "-ip=127.0.0.1", "-s3", f"-s3.port={port}"]
    for option in ("master.port", "volume.port", "filer.port"):
        command.append(f"-{option}={free_port()}")
    command += [f"-s3.config={home / 's3.json'}", "-master.volumeSizeLimitMB=64"]
    with running(command, port, home / "weed.log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def enter(environment, endpoint):  # noqa: F811
    """Enter by name and key; the owner makes two buckets, each with three images."""

    def apply(name: str, secret: str = "secret") -> None:
        environment(endpoint, AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY=secret)

    apply("owner")
    for bucket in ("open", "closed"):
        s3.client().create_bucket(Bucket=bucket)
        for number in range(3):
            s3.client().put_object(Bucket=bucket, Key=f"cat/{number} é.png", Body=f"image {number}".encode())
    return apply


def test_a_folder_is_listed_and_read(enter):
    enter("guest")
    listing = list_folder("s3://open")
    assert [(entry.path, entry.size) for entry in listing.files] == [(f"cat/{n} é.png", 7) for n in range(3)]
    assert listing.folders == ["cat"]
    assert files.read_bytes("s3://open/cat/1 é.png") == b"image 1"
    assert files.read_range("s3://open/cat/1 é.png", 2, 3) == b"age"
    with pytest.raises(FileNotFoundError):
        files.read_bytes("s3://open/cat/9.png")


def test_who_may_not_enter_is_told_why(enter):
    for name, secret, path, message in (
        ("nobody", "secret", "s3://open", "does not know the access key"),
        ("owner", "wrong", "s3://open", "the secret key is not the access key's"),
        ("guest", "secret", "s3://closed", "may not do this"),
        ("owner", "secret", "s3://none", "no such bucket"),
    ):
        enter(name, secret)
        with pytest.raises(StorageError, match=message):
            files.walk(path)
        with pytest.raises((StorageError, FileNotFoundError)):
            files.read_bytes(f"{path}/cat/0 é.png")
