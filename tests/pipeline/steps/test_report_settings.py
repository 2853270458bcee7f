"""What the report may be told of the configuration."""

import hashlib

import yaml

from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.steps.report_settings import make_report_settings


def test_options_that_look_like_secrets_are_hidden():
    config = load_config(overrides=["runners.beam=[--s3_secret_access_key=abc, --direct_num_workers=2]"])
    shown = make_report_settings(config, {}).configuration
    assert "abc" not in shown
    assert "--direct_num_workers=2" in shown


def test_the_configuration_in_the_report_is_one_that_a_run_takes(tmp_path):
    config = load_config(overrides=["train.epochs=3", "data.classes=[a, 菊花]"])
    (tmp_path / "pipeline.yaml").write_text(make_report_settings(config, {}).configuration, encoding="utf-8")
    assert load_config(tmp_path / "pipeline.yaml") == config


def test_limits_are_told_in_words():
    settings = make_report_settings(
        load_config(overrides=["evaluate.max_accuracy_drop=0.01", "evaluate.max_cross_entropy=1"]), {"Trainer": "0a1b"}
    )
    assert settings.limits["sparse_categorical_accuracy"] == "at least 0.9; at most 0.01 below the served model's"
    assert settings.limits["sparse_categorical_crossentropy"] == "at most 1"
    lock = hashlib.sha256((DEFAULT_PATH.parent / "requirements.lock").read_bytes()).hexdigest()
    assert settings.code == {"Trainer": "0a1b", "requirements.lock": lock}
    assert yaml.safe_load(settings.configuration)["name"] == "quickstart"
