"""What the tuner is told of the drift since its earlier searches."""

import json

import pytest

from components.tuner.drift import drift_since

NOW = {"label": {"cat": 500, "dog": 500}, "brightness": {"9": 1000}}
DARKER = {"label": {"cat": 500, "dog": 500}, "brightness": {"3": 1000}}


def test_each_search_has_its_drift_in_the_feature_that_moved_most(tmp_path):
    runs = [
        {"searched": True, "source": "best/1", "profile": DARKER},
        {"searched": True, "source": "best/2", "profile": NOW},
        {"searched": False, "source": "best/2", "profile": NOW},
        {"searched": True, "source": "best/3", "profile": {}},
    ]
    (tmp_path / "history.json").write_text(json.dumps(runs))
    assert drift_since(str(tmp_path), NOW) == pytest.approx({"best/1": 1.0, "best/2": 0.0}, abs=0.01)


def test_before_the_first_search_there_is_none(tmp_path):
    assert drift_since(str(tmp_path / "tuning"), NOW) == {}


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "null", "3", "{}", "[1]", "[null]", '["x"]', "[{}]", '[{"searched": true}]', "[" * 100_000,
        '[{"searched": true, "source": 5, "profile": {}}]',
        '[{"searched": true, "source": "a", "profile": []}]',
        '[{"searched": true, "source": "a", "profile": {"label": {"cat": "many"}}}]',
        '[{"searched": true, "source": "a", "profile": {"label": {"cat": -1}}}]',
    ],
)  # fmt: skip
def test_a_damaged_history_is_none(tmp_path, content):
    (tmp_path / "history.json").write_text(content)
    assert drift_since(str(tmp_path), NOW) == {}


@pytest.mark.parametrize("profile", [{"label": {}}, {"label": {"cat": 0}}, {"unknown": {"x": 1}}])
def test_images_that_cannot_be_compared_are_as_far_as_can_be(tmp_path, profile):
    (tmp_path / "history.json").write_text(json.dumps([{"searched": True, "source": "a", "profile": profile}]))
    assert drift_since(str(tmp_path), NOW) == {"a": 1.0}
