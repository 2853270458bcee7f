"""Values set in a pipeline.yaml: what is read back, and that a user's own layout and comments stay."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.edit import check_can_set, with_values
from pipeline.config.load import DEFAULT_PATH
from pipeline.config.model import ConfigError

SHIPPED = DEFAULT_PATH.read_text(encoding="utf-8")
KEYS = ("name", "data.path", "data.label_column", "model.alpha", "train.augment.horizontal_flip")
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(1e-6, 1e9).map(lambda number: float(f"{number:g}")),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff"), max_size=40),
)


def leaves(values: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in values.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@settings(deadline=None, max_examples=40)
@given(values=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1))
@pytest.mark.slow
def test_any_values_are_read_back_and_no_other_line_changes(values):
    changed = with_values(SHIPPED, values)
    assert leaves(yaml.safe_load(changed)) == leaves(yaml.safe_load(SHIPPED)) | values
    kept = set(SHIPPED.splitlines())
    assert sum(line not in kept for line in changed.splitlines()) <= len(values)


@pytest.mark.parametrize(
    "word", ["yes", "on", "null", "1:30", "2024-05-31", "a: #b", "- x", "[x", "*a", "0x1f", "~", ""]
)
def test_a_text_stays_a_text_for_the_parser_that_reads_the_file(word):
    assert yaml.safe_load(with_values("data:\n  path: a  # of images\n", {"data.path": word})) == {
        "data": {"path": word}
    }


@pytest.mark.parametrize(
    "text",
    [
        'model:\n    alpha: 1.20   # ours\n    list:\n    - a\n    - b\n\n\nlast: "x"\n# end\n',
        "# head\nmodel:\n  # of the grid\n  alpha: 1.20\n  list:\n    - a: 1\n      b: 'two'\n  octal: 010\n",
        "model: {alpha: 1.20, beta: null}  # one line\n",
        "base: &base {beta: 1}\nmodel:\n  <<: *base\n  alpha: 1.20\nlong: " + "word " * 60 + "end\n",
    ],
)
def test_a_users_layout_stays(text):
    assert with_values(text, {"model.alpha": 1.35}) == text.replace("1.20", "1.35")


def test_every_missing_key_is_named():
    with pytest.raises(KeyError) as missing:
        with_values("model: {alpha: 1.2}\ntrain: 3\n", {"model.alpha": 1.3, "model.beta": 1.1, "train.epochs": 3})
    assert missing.value.args == ("model.beta", "train.epochs")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [1", "not valid YAML"),
        ("model: {a: 1}\nmodel: {alpha: 1}\n", "duplicate key"),
        ("[" * 60, "nested more than 50 deep"),
        ("just words\n", "has no model.alpha to replace"),
    ],
)
def test_a_file_that_cannot_be_edited_is_refused_before_the_search(tmp_path, text, said):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        check_can_set(path, {"model.alpha": 1.2})
    assert "\n" not in str(refused.value)
