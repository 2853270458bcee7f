"""Which pushed version a candidate is compared with."""

from pathlib import Path

import pytest

from components.served_model.versions import (
    ServedVersion,
    find_baseline,
    fingerprint,
    is_version,
    pushed_versions,
    read_served,
    write_served,
)


@pytest.fixture
def save(tmp_path):
    """Write a SavedModel with an id: save("push/3", b"id")."""

    def apply(path: str, identity: bytes | None, graph: bytes = b"graph") -> str:
        folder = tmp_path / path
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(graph)
        if identity is not None:
            (folder / "fingerprint.pb").write_bytes(identity)
        return str(folder)

    return apply


@pytest.fixture
def push(tmp_path) -> str:
    return str(tmp_path / "push")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("1700000000", True),
        ("007", True),
        ("9223372036854775807", True),
        ("9223372036854775808", False),
        ("99999999999999999999", False),
        ("9" * 5000, False),
        ("\u0661\u0662\u0663", False),  # Arabic digits, of which Python makes 123
        ("\u00b2", False),
        ("+1", False),
        ("1_000", False),
        ("latest", False),
    ],
)
def test_a_version_is_what_tensorflow_serving_counts_as_one(name, counts):
    assert is_version(name) == counts


def test_a_folder_that_nobody_serves_is_no_baseline(save, push):
    save("push/3", b"three")
    save("push/99999999999999999999", b"bogus")
    save("push/\u0661\u0662\u0663", b"arabic")
    assert pushed_versions(push) == ["3"]


def test_nothing_is_served_before_the_first_push(save, push):
    assert find_baseline(push, save("candidate", b"new")) == ServedVersion("", "")


def test_the_newest_version_is_the_largest_number(save, push):
    for version in ("9", "10", "2"):
        save(f"push/{version}", version.encode())
    baseline = find_baseline(push, save("candidate", b"new"))
    assert baseline == ServedVersion("10", fingerprint(f"{push}/10"))


def test_what_is_no_complete_version_does_not_count(save, push):
    save("push/1", b"old")
    (Path(push) / "7").mkdir()
    save("push/8.partial", b"x")
    save("push/latest", b"x")
    assert pushed_versions(push) == ["1"]


def test_a_candidate_that_was_pushed_is_compared_with_what_was_served_before(save, push):
    save("push/1", b"old")
    save("push/2", b"new")
    assert find_baseline(push, save("candidate", b"new")).version == "1"


def test_a_first_model_that_was_pushed_still_has_no_baseline(save, push):
    save("push/1", b"new")
    assert find_baseline(push, save("candidate", b"new")) == ServedVersion("", "")


def test_models_without_a_fingerprint_are_told_by_their_content(save, push):
    save("push/1", None, graph=b"old")
    save("push/2", None, graph=b"new")
    assert find_baseline(push, save("candidate", None, graph=b"new")).version == "1"


def test_the_served_version_is_noted_and_read(tmp_path):
    served = ServedVersion("17", "abc")
    write_served(str(tmp_path), served)
    assert read_served(str(tmp_path)) == served
