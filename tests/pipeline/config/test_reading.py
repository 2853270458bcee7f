"""How data is read, as pipeline.yaml says it."""

import pytest

from pipeline.config.load import load_config
from pipeline.config.model import ConfigError


def test_a_pattern_of_groups_is_checked_before_anything_runs():
    assert load_config(overrides=[r"data.group_pattern='(patient\d+)_'"]).data.reading.group_pattern == r"(patient\d+)_"
    for wrong in ("'(patient'", r"'(a)(b)'"):
        with pytest.raises(ConfigError, match=r"data\.group_pattern"):
            load_config(overrides=[f"data.group_pattern={wrong}"])


def test_a_layout_is_one_of_a_few():
    assert load_config(overrides=["data.layout=splits"]).data.reading.layout == "splits"
    with pytest.raises(ConfigError, match="layout"):
        load_config(overrides=["data.layout=folders"])
