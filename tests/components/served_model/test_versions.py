"""Which pushed version a candidate is compared with."""

from pathlib import Path

import pytest

from components.common.errors import DamagedRecord, GateError
from components.served_model.record import RECORD_FILE, PushRecord, is_version, read_record, write_record
from components.served_model.versions import (
    ServedVersion,
    find_baseline,
    fingerprint,
    pushed_models,
    pushed_versions,
    read_served,
    servable,
    served_path,
    withdrawn,
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


@pytest.mark.parametrize("name", ["models [prod]", "mod*els", "what?", "[/red]", "[!a]"])
def test_a_push_path_s_name_is_no_pattern(save, tmp_path, name):
    for sibling in ("models p", "modxels", "whatx", "b"):
        save(f"{sibling}/9", b"sibling")
    save(f"{name}/3", b"old")
    push = str(tmp_path / name)
    assert pushed_versions(push) == ["3"]
    assert find_baseline(push, save("candidate", b"new")).version == "3"
    assert served_path(push) == f"{push}/3"


def test_what_tensorflow_serving_takes_for_no_version_is_none(save, push):
    for name in ("2", "99999999999999999999", "\u0661\u0662", "-5", "1.5"):
        save(f"push/{name}", b"x")
    assert pushed_versions(push) == ["2"]


def test_versions_that_cannot_be_listed_are_not_nothing(save, tmp_path):
    (tmp_path / "file").touch()
    for ask in (pushed_versions, pushed_models, served_path, lambda path: find_baseline(path, save("c", b"new"))):
        with pytest.raises(
            GateError, match=r"what is served from .*/file cannot be read \(.*Not a directory.*push.path"
        ):
            ask(str(tmp_path / "file"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        '{"withdrawn": 5}',
        '{"unknown": 1, "withdrawn": []}',
        '{"withdrawn": [1]}',
        '{"withdrawn": [], "pushed_at": "yesterday"}',
        '{"withdrawn": [], "pushed_at": "2024-01-01T00:00:00"}',
        '{"withdrawn": [], "accuracy": "high"}',
        '{"withdrawn": [], "rollback_of": "x"}',
        '{"withdrawn": null}',
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_the_version_still_counts(save, push, content):
    folder = save("push/7", b"served")
    write_record(folder, PushRecord(accuracy=0.9))
    (Path(folder) / RECORD_FILE).write_text(content)
    with pytest.raises(DamagedRecord):
        read_record(folder)
    (model,) = pushed_models(push)
    assert (model.version, model.record) == ("7", PushRecord())
    assert RECORD_FILE in model.problem
    assert find_baseline(push, save("candidate", b"new")).version == "7"
    assert served_path(push) == folder


def test_without_its_record_nobody_knows_what_was_rolled_back_from_and_no_older_model_is_pushed_again(save, push):
    for version in ("1", "2", "3"):
        save(f"push/{version}", version.encode())
    write_record(f"{push}/3", PushRecord())
    (Path(push) / "3" / RECORD_FILE).write_text("")
    assert withdrawn(pushed_models(push)) == {fingerprint(f"{push}/1"), fingerprint(f"{push}/2")}


@pytest.mark.parametrize("name", ["saved_model.pb", "fingerprint.pb", "variables/variables.index"])
def test_a_damaged_model_is_skipped_and_the_one_before_it_is_the_measure(save, push, name):
    save("push/1", b"old")
    damaged = Path(save("push/2", b"new")) / name
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"")
    assert find_baseline(push, save("candidate", b"candidate")).version == "1"
    assert served_path(push) == f"{push}/1"
    assert [bool(model.problem) for model in pushed_models(push)] == [True, False]


def test_versions_that_are_all_damaged_are_not_nothing(save, push):
    (Path(save("push/1", b"old")) / "saved_model.pb").write_bytes(b"")
    for ask in (served_path, lambda path: find_baseline(path, save("candidate", b"new"))):
        with pytest.raises(GateError, match=r"no version in .* is whole.*version 1: .*saved_model.pb empty.*backup"):
            ask(push)


def test_leading_zeros_count_and_of_two_names_for_one_number_one_does(save, push):
    for name in ("3", "007", "7", "0012"):
        save(f"push/{name}", name.encode())
    assert pushed_versions(push) == ["0012", "7", "3"]
    assert served_path(push) == f"{push}/0012"


def test_a_model_that_was_rolled_back_from_does_not_step_in_for_a_damaged_one(save, push):
    for version in ("1", "2", "3"):
        save(f"push/{version}", version.encode())
    write_record(f"{push}/3", PushRecord(rollback_of="1", withdrawn=(fingerprint(f"{push}/2"),)))
    (Path(push) / "3" / "saved_model.pb").write_bytes(b"")
    assert served_path(push) == f"{push}/1"
    assert [model.version for model in servable(push)] == ["1"]
    (Path(push) / "3" / RECORD_FILE).write_text("")
    with pytest.raises(GateError, match="version 1: it may be rolled back from"):
        served_path(push)
