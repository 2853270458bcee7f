"""What lies in TFRecords and tar files is found with its class, or named with what is wrong with it."""

import io
import json
import tarfile

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.image_example_gen.sources.listing import FileEntry, Listing, Rejected
from components.image_example_gen.sources.shard_plan import plan_shards
from components.image_example_gen.sources.shard_reading import index_shard
from components.image_example_gen.sources.shards import Found, is_image_name, is_shard
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule
from components.image_example_gen.sources.split_names import split_of_name


def tar(files: dict[str, bytes]) -> bytes:
    """A tar as webdataset's TarWriter makes it: regular files in a row."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def example(**features) -> bytes:
    kinds = {
        name.replace("__", "/"): tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=kinds)).SerializeToString()


def tfrecord(path, records: list[bytes], compression="") -> bytes:
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return path.read_bytes()


def look(content: bytes, path: str, features=None):
    items = list(index_shard(io.BytesIO(content), path, "/shards/" + path, features or {}))
    found = [item for item in items if isinstance(item, Found)]
    rejected = {item.path: item.reason for item in items if isinstance(item, Rejected)}
    return found, [content[item.offset : item.offset + item.size] for item in found], rejected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar", True),
        ("a.tar.gz", True),
        ("a.tgz", True),
        ("x/a.tfrecord", True),
        ("birds-train.tfrecord-00001-of-00010", True),
        ("data_tfrecord-00000-of-00001.gz", True),
        ("a.tfrecords.gz", True),
        ("00-512x512-798.tfrec", True),
        ("coco_train.record-00000-of-00010", True),
        ("train-00000-of-00002", True),
        ("train-00000-of-00001.parquet", True),
        ("tar", False),
        ("a.tar.json", False),
        ("guitar", False),
    ],
)
def test_shards_are_known_by_their_names(name, expected):
    assert is_shard(name) == expected
    assert not is_image_name(name)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("imagenet-train-000000.tar", "train"),
        ("val/000.tar", "val"),
        ("birds-test.tfrecord-00000-of-00001", "eval"),
        ("Split-eval/data_tfrecord-00000-of-00001.gz", "eval"),
        ("000.tar", ""),
        ("training.tar", "train"),
        ("train-and-test.tar", ""),
    ],
)
def test_a_shard_may_name_its_split(path, split):
    assert split_of_name(path) == split


def test_samples_of_a_tar_have_their_image_and_class():
    found, images, rejected = look(
        tar(
            {
                "a/0001.jpg": b"one",
                "a/0001.cls": b"7\n",
                "a/0002.png": b"two",
                "a/0002.json": json.dumps({"label": "cat", "split": "val", "group": "ann"}).encode(),
                "a/0003.v2.jpg": b"no image of its own",
                "a/0003.webp": b"three",
                "a/0003.cls": b"dog",
                "0004.jpg": b"four",
                "0004.txt": b"a cat",
                "0005.jpg": b"five",
                "0005.json": b"{",
                "0006.cls": b"cat",
            }
        ),
        "x.tar",
    )
    assert images == [b"one", b"two", b"three"]
    assert [(item.path, item.label, item.split, item.group) for item in found] == [
        ("x.tar/a/0001.jpg", "7", "", ""),
        ("x.tar/a/0002.png", "cat", "val", "ann"),
        ("x.tar/a/0003.webp", "dog", "", ""),
    ]
    assert rejected == {"x.tar/a/0003.v2.jpg": "ignored", "x.tar/0004.jpg": "bad_row", "x.tar/0005.jpg": "bad_row"}


def test_links_and_odd_names_in_a_tar_are_named_and_nothing_is_unpacked():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("0.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, content in (("../1.jpg", b"one"), ("../1.cls", b"a"), ("caf\udce9.jpg", b"two")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    found, images, rejected = look(buffer.getvalue(), "x.tar")
    assert rejected == {"x.tar/0.jpg": "unreadable", r"x.tar/caf\xe9.jpg": "bad_row"}
    assert ([item.path for item in found], images) == (["x.tar/../1.jpg"], [b"one"])


@pytest.mark.parametrize(
    "features",
    [
        {"image": b"pixels", "label": 3},
        {"image__encoded": b"pixels", "image__class__label": 3},
        {"image__encoded": b"pixels", "image__class__text": b"3", "image__class__label": 99},
        {"image": b"pixels", "class_name": b"3", "label": 99, "path": b"x.jpg"},
    ],
)
def test_examples_are_read_by_the_usual_names(features, tmp_path):
    found, images, rejected = look(tfrecord(tmp_path / "r", [example(**features)]), "x.tfrecord")
    assert (images, rejected) == ([b"pixels"], {})
    assert (found[0].path, found[0].label) == ("x.tfrecord/0", "3")


def test_other_names_are_told_and_records_without_image_or_label_named(tmp_path):
    content = tfrecord(tmp_path / "r", [example(photo=b"p", kind=b"cat", patient=4), example(other=1), b"\xff\xff"])
    found, images, rejected = look(content, "x.tfrecord", {"image": "photo", "label": "kind", "group": "patient"})
    assert images == [b"p"]
    assert (found[0].label, found[0].group) == ("cat", "4")
    assert rejected == {"x.tfrecord/1": "bad_row", "x.tfrecord/2": "bad_row"}


SAMPLES = {
    f"{number}.{field}": content
    for number in range(6)
    for field, content in (("jpg", b"\xff\xd8" * 300), ("cls", b"1"))
}


@settings(deadline=None, max_examples=150)
@given(data=st.data(), kind=st.sampled_from(["tar", "tfrecord"]))
def test_a_cut_or_damaged_shard_loses_nothing_in_silence(data, kind, tmp_path_factory):
    if kind == "tar":
        whole = tar(SAMPLES)
    else:
        path = tmp_path_factory.getbasetemp() / "damaged"
        whole = tfrecord(path, [example(image=b"\xff\xd8" * 300, label=number) for number in range(6)])
    # Of a tar all but the zeros that fill it up: a header and a block or two for each file, and a block for the end.
    used = len(whole) if kind == "tfrecord" else 6 * (3 + 2) * tarfile.BLOCKSIZE + tarfile.BLOCKSIZE
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, used - 1))]
    else:
        place = data.draw(st.integers(0, used - 1))
        damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    found, images, rejected = look(damaged, f"x.{kind}")
    assert len(found) == 6 or rejected or not damaged
    if kind == "tfrecord":
        assert all(image == b"\xff\xd8" * 300 for image in images)


def listing(*paths: str) -> Listing:
    return Listing(files=[FileEntry(path, 1, 1) for path in paths])


SHARDS = {"a-train.tar", "a-val.tar"}


def test_numbers_count_in_the_configured_classes_and_shards_give_splits():
    found = [
        Found("a-train.tar/1.jpg", "/a", 0, 9, "0", shard_split="train"),
        Found("a-train.tar/2.jpg", "/a", 9, 9, "dog", shard_split="train"),
        Found("a-val.tar/3.jpg", "/b", 0, 9, "1", shard_split="val"),
        Found("a-val.tar/4.jpg", "/b", 9, 9, "7", split="test", shard_split="val"),
        Found("a-val.tar/5.jpg", "/b", 18, 9, "0", split="elsewhere"),
    ]
    plan = plan_shards(found, listing("a-train.tar", "a-val.tar", "readme.md"), ["cat", "dog"], SHARDS)
    assert [(plan.classes[image.label], image.split, image.offset) for image in plan.images] == [
        ("cat", "train", 0),
        ("dog", "train", 9),
        ("dog", "val", 0),
        ("7", "eval", 9),
    ]
    assert [(line.path, line.reason) for line in plan.rejected] == [
        ("a-val.tar/5.jpg", "bad_row"),
        ("readme.md", "ignored"),
    ]
    lonely = plan_shards(found[2:3], listing("a-val.tar"))
    assert (lonely.classes, lonely.given_splits) == (["1"], frozenset())


def test_shards_that_nobody_has_read_are_no_empty_folder(make_tree):
    source = find_source(str(make_tree({"0.tar": tar(SAMPLES), "1.tar": tar(SAMPLES)})), SpanRule())
    with pytest.raises(RuntimeError, match="nobody has read the 2 shards"):
        source.plan()
