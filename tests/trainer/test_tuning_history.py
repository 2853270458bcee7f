"""When a search is due, and whose result is taken over otherwise."""

import pytest

from trainer.settings import Every
from trainer.tuning_history import TunerRun, add_to_history, last_good, read_history

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
        (Every(every=1), [FOUND], True),
        (Every(every=3), [FOUND], False),
        (Every(every=3), [FOUND, TAKEN_OVER], False),
        (Every(every=3), [FOUND, TAKEN_OVER, TAKEN_OVER], True),
    ],
)
def test_a_search_is_due(when, earlier, searches):
    assert (last_good(when, SUBJECT, earlier) is None) == searches


def test_the_last_search_counts_and_never_without_one_gives_no_values():
    assert last_good("first", SUBJECT, [FOUND, run(True, 0.1), TAKEN_OVER]).values == {"dropout_rate": 0.1}
    assert last_good("never", SUBJECT, []).values == {}


def test_the_history_is_kept_in_order(tmp_path):
    root = str(tmp_path / "tuning")
    assert read_history(root) == []
    for entry in (FOUND, TAKEN_OVER):
        add_to_history(root, entry)
    assert read_history(root) == [FOUND, TAKEN_OVER]
