"""Every setting is described, and what people read of it is what the code says."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.document import PAGE, commented, page
from pipeline.config.load import DEFAULT_PATH
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.config.reference import all_settings, find_setting, settings_in
from trainer.settings import Settings

SHIPPED = DEFAULT_PATH.read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.key)
def test_every_setting_has_a_description_of_its_own(setting):
    assert len(setting.summary) > 10 and setting.summary.endswith((".", ")"))
    assert not setting.advice or setting.advice.endswith(".")


def test_all_fields_of_the_model_are_settings():
    assert set(_fields(PipelineConfig)) <= {setting.key for setting in all_settings()}


def _fields(model, prefix=""):
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from _fields(field.annotation, f"{prefix}{name}.")


def test_the_page_and_the_shipped_comments_are_up_to_date():
    advice = "run: python -m pipeline.config.document"
    assert PAGE.read_text(encoding="utf-8") == page(), advice
    assert commented(SHIPPED) == SHIPPED, advice


def test_comments_change_no_value():
    bare = "\n".join(line.split(" # ")[0] for line in SHIPPED.splitlines() if not line.lstrip().startswith("#"))
    assert yaml.safe_load(commented(bare)) == yaml.safe_load(SHIPPED)


def test_types_and_bounds_are_in_words():
    assert find_setting("train.drop_connect_rate").type == "number (0 to below 1) or null"
    assert find_setting("tune.learning_rate").type == "[lowest, highest], each number (above 0) or null"
    assert find_setting("data.layout").type == "auto, classes, splits, labels, shards"
    assert find_setting("runners.kubeflow.resources.<name>.gpu").type == "integer (0 or more) or null"


def test_a_section_lists_what_it_holds():
    assert [one.key for one in settings_in("data.split")] == ["data.split.val", "data.split.eval"]
    assert find_setting("data.split").is_section


@pytest.mark.parametrize(
    ("key", "nearest"), [("learning_rate", "train.learning_rate"), ("train.epoch", "train.epochs"), ("modle", "model")]
)
def test_a_misspelt_key_is_told_the_nearest(key, nearest):
    with pytest.raises(ConfigError, match=f"did you mean `{nearest}`"):
        find_setting(key)


@given(st.text(max_size=30))
def test_any_text_is_a_setting_or_a_clear_error(key):
    try:
        assert find_setting(key).key == key
    except ConfigError as error:
        assert "unknown setting" in str(error)
