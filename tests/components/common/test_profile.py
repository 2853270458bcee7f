"""Which differences between two sets of images count as drift."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.profile import (
    FEATURES,
    divergence,
    find_drift,
    kinds,
    read_profile,
    write_profile,
)

counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10_000), min_size=1)


def profile_of(brightness: np.ndarray) -> dict[str, Counter]:
    profile: dict[str, Counter] = {feature: Counter() for feature in FEATURES}
    for value in brightness:
        for feature, kind in kinds("cat", float(value), 640, 480, "jpeg"):
            profile[feature][kind] += 1
    return profile


@given(one=counts, other=counts)
def test_divergence_is_symmetric_and_between_0_and_1(one, other):
    assert 0 <= divergence(one, other) <= 1
    assert divergence(one, other) == pytest.approx(divergence(other, one))
    assert divergence(one, one) == 0


@pytest.mark.parametrize("images", [100, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_two_samples_of_the_same_photos_do_not_drift_and_darker_ones_do(images, seed):
    random = np.random.default_rng(seed)
    one, other = (profile_of(random.normal(0.45, 0.13, images).clip(0, 1)) for _ in range(2))
    darker = profile_of(random.normal(0.45, 0.13, images).clip(0, 1) / 2)
    thresholds = dict.fromkeys(FEATURES, 0.1)
    assert find_drift(one, other, thresholds) == []
    (problem,) = find_drift(darker, one, thresholds)
    assert problem.startswith("brightness drifted by 0.")


def test_a_new_format_and_a_lost_class_are_named():
    one = profile_of(np.full(300, 0.5))
    other = one | {"format": Counter(png=300), "label": Counter(cat=150, dog=150)}
    problems = find_drift(one, other, {"label": 0.1, "format": 0.1})
    assert [problem.split()[0] for problem in problems] == ["label", "format"]


def test_a_profile_is_kept_with_the_model(tmp_path):
    profile = profile_of(np.linspace(0, 1, 9))
    write_profile(str(tmp_path), profile)
    assert read_profile(str(tmp_path)) == profile


def test_silence_is_no_approval(tmp_path):
    with pytest.raises(DataError, match="no verdict on drift"):
        read_profile(str(tmp_path))
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra/data_profile.json").write_text("[]")
    with pytest.raises(DataError, match="is no profile"):
        read_profile(str(tmp_path))
    with pytest.raises(DataError, match="without brightness"):
        find_drift({}, {}, {"brightness": 0.1})
    with pytest.raises(DataError, match="empty data profile"):
        find_drift({"label": {}}, {"label": {"cat": 1}}, {"label": 0.1})
