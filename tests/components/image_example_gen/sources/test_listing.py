"""What is found in an image folder, and when its fingerprint changes."""

import os
import subprocess
from pathlib import Path

import pytest

from components.common.errors import DataError
from components.image_example_gen.sources.listing import fingerprint, list_folder


@pytest.fixture
def root(make_tree) -> Path:
    return make_tree({"cat/1.png": b"one", "cat/deep/2.png": b"two!", "dog/3.png": b"three"})


def test_files_and_folders_are_listed_with_sizes(root):
    listing = list_folder(str(root))
    assert [(entry.path, entry.size) for entry in listing.files] == [
        ("cat/1.png", 3),
        ("cat/deep/2.png", 4),
        ("dog/3.png", 5),
    ]
    assert listing.folders == ["cat", "cat/deep", "dog"]
    assert listing.rejected == []


def test_litter_is_named_and_not_entered(root, make_tree):
    make_tree(
        {
            "cat/Thumbs.db": b"x",
            "cat/.hidden.png": b"x",
            ".DS_Store": b"x",
            "desktop.ini": b"x",
            ".git/objects/1": b"x",
            "__MACOSX/cat/1.png": b"x",
        }
    )
    listing = list_folder(str(root))
    assert len(listing.files) == 3
    assert {rejected.reason for rejected in listing.rejected} == {"ignored"}
    assert [rejected.path for rejected in listing.rejected] == [
        ".DS_Store",
        ".git/",
        "__MACOSX/",
        "cat/.hidden.png",
        "cat/Thumbs.db",
        "desktop.ini",
    ]


def test_links_are_followed_but_not_in_circles(root, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "4.png").write_bytes(b"four")
    (root / "bird").symlink_to(elsewhere)
    (root / "cat" / "round").symlink_to(root)
    (root / "cat" / "gone.png").symlink_to(tmp_path / "missing")
    listing = list_folder(str(root))
    assert "bird/4.png" in [entry.path for entry in listing.files]
    assert {(rejected.path, rejected.reason) for rejected in listing.rejected} == {
        ("cat/round/", "unreadable"),
        ("cat/gone.png", "unreadable"),
    }


def test_pipes_and_names_that_are_not_utf8_are_set_aside(root):
    os.mkfifo(root / "cat" / "pipe.png")
    Path(os.fsdecode(os.fsencode(root) + b"/cat/caf\xe9.png")).write_bytes(b"x")
    rejected = {entry.path: entry.reason for entry in list_folder(str(root)).rejected}
    assert rejected == {"cat/pipe.png": "unreadable", r"cat/caf\xe9.png": "unreadable"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_set_aside(root):
    (root / "cat" / "deep").chmod(0)
    (rejected,) = list_folder(str(root)).rejected
    (root / "cat" / "deep").chmod(0o755)
    assert (rejected.path, rejected.reason) == ("cat/deep/", "unreadable")


def test_a_missing_or_empty_root_is_an_error_that_names_it(tmp_path, make_tree):
    for path, got in [(tmp_path / "missing", "nothing"), (make_tree({}, "empty"), "empty")]:
        with pytest.raises(DataError, match=f"{got}.*{path.name}"):
            list_folder(str(path))
    file = make_tree({"a.zip": b"x"}) / "a.zip"
    with pytest.raises(DataError, match="a file"):
        list_folder(str(file))


def fingerprint_of(root: Path) -> str:
    return fingerprint(list_folder(str(root)))


def test_the_fingerprint_follows_every_change_of_an_image(root, make_tree):
    seen = [fingerprint_of(root)]
    make_tree({"dog/4.png": b"four"})
    seen.append(fingerprint_of(root))
    (root / "dog/4.png").rename(root / "dog/5.png")
    seen.append(fingerprint_of(root))
    (root / "dog/5.png").write_bytes(b"five!")
    seen.append(fingerprint_of(root))
    os.utime(root / "dog/5.png", ns=(1, 1))
    seen.append(fingerprint_of(root))
    (root / "empty").mkdir()
    seen.append(fingerprint_of(root))
    assert len(set(seen)) == len(seen)


def test_the_fingerprint_stays_when_nothing_or_only_litter_changes(root, make_tree):
    before = fingerprint_of(root)
    make_tree({"cat/Thumbs.db": b"x", ".DS_Store": b"x"})
    assert fingerprint_of(root) == before


@pytest.mark.parametrize("how", ["written in place", "renamed over it", "cp -p"])
def test_a_replacement_of_the_same_size_and_time_is_noticed(root, tmp_path, how):
    image = root / "cat" / "1.png"
    before, time = fingerprint(list_folder(str(root))), image.stat().st_mtime_ns
    other = tmp_path / "other.png"
    other.write_bytes(b"eno")
    os.utime(other, ns=(time, time))
    if how == "cp -p":
        subprocess.run(["cp", "-p", str(other), str(image)], check=True)
    elif how == "renamed over it":
        other.replace(image)
    else:
        image.write_bytes(b"eno")
        os.utime(image, ns=(time, time))
    assert (image.stat().st_size, image.stat().st_mtime_ns) == (3, time)
    assert fingerprint(list_folder(str(root))) != before


def test_reading_an_image_changes_nothing(root):
    before = fingerprint(list_folder(str(root)))
    (root / "cat" / "1.png").read_bytes()
    assert fingerprint(list_folder(str(root))) == before
