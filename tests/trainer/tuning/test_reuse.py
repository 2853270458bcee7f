"""When a search is due, and whose result is taken over otherwise."""

import json
from dataclasses import asdict

import pytest

from trainer.settings import TuneSettings
from trainer.tuning.reuse import TunerRun, add_to_history, last_good, read_history

SUBJECT = "b0 at 64 px"


def run(searched: bool, rate: float, subject: str = SUBJECT) -> TunerRun:
    return TunerRun(subject, searched, {"dropout_rate": rate}, f"artifacts/{rate}", "2026-01-01T00:00:00+00:00")


FOUND, TAKEN_OVER = run(True, 0.3), run(False, 0.3)


@pytest.mark.parametrize(
    ("when", "earlier", "searches"),
    [
        ("always", [FOUND], True),
        ("first", [], True),
        ("first", [FOUND], False),
        ("first", [FOUND, TAKEN_OVER, TAKEN_OVER], False),
        ("first", [run(True, 0.3, "b2 at 260 px")], True),
        ("never", [], False),
        ({"every": 1}, [FOUND], True),
        ({"every": 3}, [FOUND], False),
        ({"every": 3}, [FOUND, TAKEN_OVER], False),
        ({"every": 3}, [FOUND, TAKEN_OVER, TAKEN_OVER], True),
    ],
)
def test_a_search_is_due(when, earlier, searches):
    assert (last_good(TuneSettings(when=when), SUBJECT, earlier, {}) is None) == searches


@pytest.mark.parametrize(
    ("when", "drift", "searches"),
    [
        ("drift", {"artifacts/0.3": 0.01}, False),
        ("drift", {"artifacts/0.3": 0.2}, True),
        ({"drift": 0.3}, {"artifacts/0.3": 0.2}, False),
        ({"drift": 0.3}, {"artifacts/0.1": 0.2}, True),  # of another search: nothing is known of this one's images
        ("first", {"artifacts/0.3": 0.2}, False),
    ],
)
def test_a_search_is_due_when_the_images_have_drifted_since_the_last_one(when, drift, searches):
    settings = TuneSettings(when=when)
    assert (last_good(settings, SUBJECT, [run(True, 0.1), FOUND, TAKEN_OVER], drift) is None) == searches
    assert last_good(settings, SUBJECT, [], drift) is None


def test_the_last_search_counts_and_never_without_one_gives_no_values():
    first, earlier = TuneSettings(when="first"), [FOUND, run(True, 0.1), TAKEN_OVER]
    assert last_good(first, SUBJECT, earlier, {}).values == {"dropout_rate": 0.1}
    assert last_good(TuneSettings(when="never"), SUBJECT, [], {}).values == {}


def test_the_history_is_kept_in_order(tmp_path):
    root = str(tmp_path / "tuning")
    assert read_history(root) == []
    for entry in (FOUND, TAKEN_OVER):
        add_to_history(root, entry)
    assert read_history(root) == [FOUND, TAKEN_OVER]


WRONG = {**asdict(FOUND), "values": "many"}


@pytest.mark.parametrize("content", ["", "[", "[3]", '[{"unknown": 1}]', "\xff", "[" * 100_000, json.dumps([WRONG])])
def test_a_damaged_history_is_none_and_the_next_run_begins_a_new_one(tmp_path, content):
    (tmp_path / "history.json").write_text(content)
    assert read_history(str(tmp_path)) == []
    add_to_history(str(tmp_path), FOUND)
    assert read_history(str(tmp_path)) == [FOUND]
