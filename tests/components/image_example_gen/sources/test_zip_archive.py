"""A zip archive is read as the folder that it holds, bounded, and without writing anything."""

import io
import zipfile

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.image_bytes import read_image
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule

PICTURE = b"\x89PNG" + bytes(5000)


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def understood(path):
    source = find_source(str(path), SpanRule())
    plan = source.plan()
    assert all(read_image(source.root, image) == PICTURE for image in plan.images)
    return {image.path: (plan.classes[image.label], image.split) for image in plan.images}, {
        line.path: line.reason for line in plan.rejected
    }


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_class_folders(compression, make_tree):
    members = {"flowers/rose/1.png": PICTURE, "flowers/daisy/2.png": PICTURE, "__MACOSX/flowers/rose/._1.png": b"Mac"}
    folder = make_tree({"archive.zip": packed(members, compression)})
    for path in (folder, folder / "archive.zip"):
        images, rejected = understood(path)
        assert images == {
            "archive/flowers/daisy/2.png": ("daisy", ""),
            "archive/flowers/rose/1.png": ("rose", ""),
        }
        assert rejected == {"archive.zip/__MACOSX/flowers/rose/._1.png": "ignored"}
    assert [path.name for path in folder.iterdir()] == ["archive.zip"], "nothing was unpacked"


def test_archives_beside_their_label_file_as_kaggle_gives_them(make_tree):
    tree = {
        "train.zip": packed({"c0.png": PICTURE, "d0.png": PICTURE}),
        "test.zip": packed({"t0.png": PICTURE}),
        "labels.csv": b"id,breed\nc0,cat\nd0,dog",
    }
    images, rejected = understood(make_tree(tree))
    assert images == {"train/c0.png": ("cat", "train"), "train/d0.png": ("dog", "train")}
    assert rejected == {"test/t0.png": "unlabelled"}
    inside = packed({"train.csv": tree["labels.csv"], "train/c0.png": PICTURE, "train/d0.png": PICTURE})
    assert list(understood(make_tree({"all.zip": inside}, "inside"))[0].values()) == [
        ("cat", "train"),
        ("dog", "train"),
    ]


def test_hostile_members_and_archives_are_named(make_tree):
    members = {"a/1.png": PICTURE, "b/2.png": PICTURE, "../../etc/3.png": PICTURE, "a/../../4.png": PICTURE}
    lzma = packed({"c/5.png": PICTURE}, zipfile.ZIP_LZMA)
    locked = bytearray(packed({"d/6.png": PICTURE}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    tree = {"ok.zip": packed(members), "lzma.zip": lzma, "locked.zip": bytes(locked), "cut.zip": packed(members)[:-30]}
    images, rejected = understood(make_tree(tree))
    assert len(images) == 2
    assert rejected == {
        "ok.zip/../../etc/3.png": "outside_root", "ok.zip/a/../../4.png": "outside_root",
        "lzma.zip/c/5.png": "unsupported_format", "locked.zip/d/6.png": "unreadable", "cut.zip": "truncated",
    }  # fmt: skip


def test_a_member_larger_than_the_archive_says_is_not_inflated(make_tree):
    folder = make_tree({"a.zip": packed({"a/1.png": bytes(10_000_000), "b/2.png": PICTURE})})
    source = find_source(str(folder), SpanRule())
    image = source.plan().images[0]
    lying = type(image)(**{**vars(image), "inflated": 100})
    with pytest.raises(OSError, match="other than the 100 bytes"):
        read_image(source.root, lying)


def test_an_archive_among_images_is_no_data_set(make_tree):
    tree = {"cat/1.png": PICTURE, "dog/1.png": PICTURE, "backup.zip": packed({"cat/1.png": PICTURE})}
    images, rejected = understood(make_tree(tree))
    assert (len(images), rejected) == (2, {"backup.zip": "not_in_class_folder"})


def test_an_archive_without_images_says_so(make_tree):
    with pytest.raises(DataError, match="only the class a"):
        understood(make_tree({"a.zip": packed({"readme.txt": b"x"})}))


def test_a_damaged_archive_alone_is_named(make_tree):
    with pytest.raises(DataError, match=r"truncated, such as a\.zip: the archive is damaged"):
        understood(make_tree({"a.zip": b"PK\x03\x04" + bytes(100)}))
