"""Shards that other tools write, and such as are made to break a reader: each is read or named, none ends the run."""

import gzip
import io
import json
import struct
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common import files
from components.common.errors import DataError
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shard_reading import read_shard
from components.image_example_gen.sources.shards import Found, masked_checksum
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule
from tests.components.image_example_gen.sources.test_shards import example, tar, tfrecord


def look(root, path, features=None):
    """What lies in a shard: (label, split, group, bytes) of each image, and name -> (reason, message)."""
    items = list(read_shard(str(root), path, features or {}, str(root / "unpacked")))
    found = [item for item in items if isinstance(item, Found)]
    images = [
        (item.label, item.split, item.group, files.read_range(item.shard, item.offset, item.size)) for item in found
    ]
    return images, {item.path: (item.reason, item.message) for item in items if isinstance(item, Rejected)}


@pytest.mark.parametrize(
    "name", ["00-64x48-12.tfrec", "a.record", "train-00000-of-00002", "train-00000-of-00002.gz", "x"]
)
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_records_are_known_by_content(name, compression, tmp_path):
    tfrecord(tmp_path / name, [example(image=b"pixels", label=3)], compression)
    source = find_source(str(tmp_path), SpanRule())
    assert source.shards == [name]
    assert look(tmp_path, name)[0] == [("3", "", "", b"pixels")]


def test_a_one_hot_label_says_what_the_records_hold(tmp_path):
    import tensorflow as tf

    label = tf.train.Feature(int64_list=tf.train.Int64List(value=[0, 1, 0]))
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"]))
    record = tf.train.Example(features=tf.train.Features(feature={"image": image, "label": label})).SerializeToString()
    tfrecord(tmp_path / "a.tfrecord", [record])
    source = find_source(str(tmp_path), SpanRule())
    with pytest.raises(
        DataError, match=r"one-hot vector, expected one name or number; got image \(1 bytes\), label \(3"
    ):
        source.plan((), read_shard(source.root, "a.tfrecord", {}, ""))


def test_unlabelled_records_of_a_test_split_are_no_fault(tmp_path):
    (tmp_path / "test").mkdir()
    tfrecord(tmp_path / "test/0.tfrec", [example(image=b"x", id=b"7")])
    assert [reason for reason, _ in look(tmp_path, "test/0.tfrec")[1].values()] == ["unlabelled"]


def test_what_a_webdataset_does_not_say_is_not_given(make_tree):
    nothing = json.dumps({"label": "cat", "split": None, "group": float("nan")}).encode()
    lists = [
        json.dumps({"label": label, "caption": "x"}).encode() for label in (["cat"], ["cat", "dog"], {"a": 1}, None)
    ]
    members = {"./._0.jpg": b"Mac", "./._0.cls": b"Mac", "./0.jpg": b"x", "./0.json": nothing}
    for number, note in enumerate(lists, start=1):
        members |= {f"./{number}.jpg": b"x", f"./{number}.json": note}
    images, rejected = look(make_tree({"s.tar": tar(members)}), "s.tar")
    assert images == [("cat", "", "", b"x"), ("cat", "", "", b"x")]
    assert {path: reason for path, (reason, _) in rejected.items()} == {
        "s.tar/./._0.jpg": "ignored", "s.tar/./._0.cls": "ignored", "s.tar/./2.jpg": "multi_label",
        "s.tar/./3.jpg": "bad_row", "s.tar/./4.jpg": "bad_row",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["label", "category", "diagnosis"])
def test_shards_call_the_class_as_label_files_do(name, make_tree, tmp_path):
    root = make_tree({"s.tar": tar({"0.jpg": b"x", "0.json": json.dumps({name: "cat"}).encode()})})
    assert look(root, "s.tar")[0] == [("cat", "", "", b"x")]
    tfrecord(tmp_path / "a.tfrecord", [example(image=b"x", **{name: b"cat"})])
    assert look(tmp_path, "a.tfrecord")[0] == [("cat", "", "", b"x")]


def test_a_tar_of_class_folders_is_to_be_unpacked(make_tree):
    _, rejected = look(make_tree({"s.tar": tar({"flowers/rose/0.jpg": b"x"})}), "s.tar")
    assert "unpack a tar of class folders" in rejected["s.tar/flowers/rose/0.jpg"][1]


def frame(length: int) -> bytes:
    header = struct.pack("<Q", length)
    return header + masked_checksum(header) + bytes(64)


def tar_header(size_field: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar of one header whose size is these 12 bytes, with a right checksum."""
    info = tarfile.TarInfo("a.jpg")
    info.type = kind
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = size_field
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


HOSTILE = {
    "length40.tfrecord": frame(2**40),
    "length62.tfrecord": frame(2**62),
    "deep.tar": tar({"a.jpg": b"x", "a.json": b"[" * 200_000}),
    "huge.tar": tar_header(b"\x80" + (2**80).to_bytes(11, "big")),
    "negative.tar": tar_header(b"\xff" * 10 + b"\xfe\x00"),
    "pax.tar": tar_header(b"\x80" + (2**62).to_bytes(11, "big"), tarfile.XHDTYPE),
    "pax negative.tar": tar_header(b"\xff" * 10 + b"\xfe\x00", tarfile.XHDTYPE),
    "long name.tar": tar_header(b"\x80" + (2**62).to_bytes(11, "big"), tarfile.GNUTYPE_LONGNAME),
    "not.parquet": b"PAR1" + b"\xff" * 100 + b"PAR1",
    "cut.tar.gz": gzip.compress(tar({"a.jpg": b"x"}))[:40],
    "noise.tfrecord.gz": b"\x1f\x8b" + b"\xff" * 50,
    "noise.record": b"\xff" * 500,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_shard_is_named_and_costs_no_memory(name, make_tree):
    images, rejected = look(make_tree({name: HOSTILE[name]}), name)
    assert images == []
    assert rejected and all(path.startswith(name) for path in rejected), "the shard is named"


def test_a_shard_that_grows_beyond_reason_is_not_unpacked_to_its_end(make_tree, monkeypatch):
    monkeypatch.setattr("components.image_example_gen.sources.shard_reading.LEAST_BOUND", 10_000)
    root = make_tree({"bomb.tfrecord.gz": gzip.compress(bytes(50_000_000))})
    items = list(read_shard(str(root), "bomb.tfrecord.gz", {}, str(root / "unpacked")))
    assert items[0] == Rejected("bomb.tfrecord.gz", "truncated", "unpacks to more than 100 times its size")
    assert max(path.stat().st_size for path in (root / "unpacked").iterdir()) < 10_000_000


def parquet(rows: list, features: dict | None = None, **columns) -> bytes:
    table = pa.table({"image": pa.array(rows), **columns})
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=2)
    return buffer.getvalue()


CLASS_LABEL = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}


def test_parquet_as_hugging_face_writes_it(make_tree):
    rows = [{"bytes": b"%d" % number, "path": f"{number}.jpg"} for number in range(5)]
    content = parquet(rows, CLASS_LABEL, label=pa.array([0, 1, 1, -1, 7]))
    root = make_tree({"data/train-00000-of-00001.parquet": content})
    images, rejected = look(root, "data/train-00000-of-00001.parquet")
    assert images == [("cat", "", "", b"0"), ("dog", "", "", b"1"), ("dog", "", "", b"2")]
    assert [reason for reason, _ in rejected.values()] == ["unlabelled", "bad_row"]


def test_parquet_of_other_tools_and_of_none(make_tree):
    plain = parquet([b"0", b"1", None], target=pa.array(["cat", ["dog"][0], "cat"]))
    several = parquet([b"0"], label=pa.array([["cat", "dog"]]))
    root = make_tree({"a.parquet": plain, "b.parquet": several, "c.parquet": parquet([b"0"], kind=pa.array(["cat"]))})
    images, rejected = look(root, "a.parquet")
    assert ([image[0] for image in images], list(rejected)) == (["cat", "dog"], ["a.parquet/2"])
    assert look(root, "b.parquet")[1]["b.parquet/0"][0] == "multi_label"
    assert "got the columns image, kind" in look(root, "c.parquet")[1]["c.parquet"][1]
    assert [image[0] for image in look(root, "c.parquet", {"label": "kind"})[0]] == ["cat"]
