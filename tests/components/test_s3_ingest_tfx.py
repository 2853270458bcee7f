"""Images on a store that speaks S3, moto's on this machine: what an ingest reads from them, and what it refuses."""

import json
from pathlib import Path

import pytest

from components.common import s3
from components.common.errors import DataError, StorageError
from components.common.ingest_report import read_quarantine, read_summary
from tests.components.common.test_s3 import bucket, endpoint, environment  # noqa: F401 - fixtures
from tests.components.image_example_gen.test_ingest_tfx import ingest, read_examples, value  # noqa: F401 - likewise

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]


def contents(examples) -> dict[str, list[bytes]]:
    """Split -> what its examples hold, in any order."""
    return {
        split: sorted(value(one, "sha256") for one in found) for split, found in read_examples(examples.uri).items()
    }


def put(bucket: str, folder: Path, prefix: str) -> None:  # noqa: F811
    """Copy a folder to the store."""
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder)}"
            s3.client().put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


@pytest.fixture
def scans(digits, make_tree) -> Path:
    """90 digits of two classes, more than are read ahead, and a torn file."""
    tree = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(digits.glob("[12]/*.png"))[::4]}
    return make_tree(tree | {"1/torn.png": b"\x89PNG\r\n\x1a\n"}, "scans")


def test_images_manifests_shards_and_spans_are_read_as_local_ones(scans, bucket, ingest, make_tree):  # noqa: F811
    local, report = ingest(scans, "local")
    expected = contents(local)
    put(bucket, scans, "scans")
    remote, report = ingest(f"s3://{bucket}/scans", "folders")
    assert contents(remote) == expected
    assert [(line["path"], line["reason"]) for line in read_quarantine(report)] == [("1/torn.png", "truncated")]

    rows = [f"{path.relative_to(scans)},{path.parent.name}" for path in sorted(scans.glob("*/*.png"))]
    s3.client().put_object(Bucket=bucket, Key="scans/labels.csv", Body="\n".join(["path,label", *rows]).encode())
    manifest, _ = ingest(f"s3://{bucket}/scans/labels.csv", "manifest")
    assert contents(manifest) == expected

    put(bucket, Path(local.uri), "shards")
    shards, report = ingest(f"s3://{bucket}/shards", "shards")
    assert contents(shards) == expected

    put(bucket, scans, "days/2024-05-31")
    span, _ = ingest(f"s3://{bucket}/days/{{SPAN}}", "spans")
    assert contents(span) == expected


def test_an_image_that_goes_while_others_are_read_is_set_aside_and_a_store_that_fails_stops_all(
    scans,
    bucket,  # noqa: F811
    ingest,  # noqa: F811
    monkeypatch,
):
    put(bucket, scans, "scans")
    gone = sorted(scans.glob("2/*.png"))[3]
    usual = s3.read

    def read(path, *arguments):
        if path.endswith(f"/{gone.parent.name}/{gone.name}"):
            s3.client().delete_object(Bucket=bucket, Key=f"scans/2/{gone.name}")
        return usual(path, *arguments)

    monkeypatch.setattr(s3, "read", read)
    _, report = ingest(f"s3://{bucket}/scans", "gone")
    assert {line["path"]: line["reason"] for line in read_quarantine(report)}[f"2/{gone.name}"] == "unreadable"
    assert read_summary(report).examples == len(list(scans.glob("*/*.png"))) - 2

    def expired(path, *arguments):
        raise StorageError(f"{path}: the session token has expired; get a new one and run again")

    monkeypatch.setattr(s3, "read", expired)
    with pytest.raises(Exception, match="the session token has expired; get a new one"):
        ingest(f"s3://{bucket}/scans", "expired")


def test_a_bucket_that_is_none_is_named(bucket, ingest):  # noqa: F811
    with pytest.raises(DataError, match=r"data\.path: s3://nowhere-at-all/x/: there is no such bucket"):
        ingest("s3://nowhere-at-all/x", "wrong", classes=json.loads("[]"))
