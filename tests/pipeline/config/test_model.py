"""pipeline.yaml: what is accepted, what is refused, and whether the refusal says how to mend it."""

from pathlib import Path

import pytest
import yaml

from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.config.model import ConfigError, PipelineConfig
from trainer.recipes import recipe_of


@pytest.fixture
def project(tmp_path):
    """A copy of the shipped pipeline.yaml, and a function that replaces a piece of it."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(DEFAULT_PATH.read_text(encoding="utf-8"), encoding="utf-8")

    def edit(old: str, new: str) -> Path:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    return edit


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_shipped_file_is_valid_and_frozen():
    config = load_config()
    assert config.model.variant == "b0"
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


@pytest.mark.parametrize(
    ("key", "misspelt"),
    [("epochs", "epoch"), ("min_accuracy", "min_acuracy"), ("variant", "varient"), ("push", "psuh")],
)
def test_misspelt_key_is_refused_with_its_line_and_the_nearest_key(project, key, misspelt):
    path = project(f"{key}:", f"{misspelt}:")
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    assert f"line {line_of(path, misspelt + ':')}" in str(refusal.value)
    assert f"did you mean `{key}`?" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_wrong_value_is_refused_with_its_line(project):
    path = project("variant: b0", "variant: b9")
    with pytest.raises(ConfigError, match=rf"line {line_of(path, 'b9')}: model\.variant: .*'lite4'; got 'b9'"):
        load_config(path)


def test_missing_threshold_is_refused(project):
    path = project("min_accuracy: 0.9", "# no floor")
    with pytest.raises(ConfigError, match=r"evaluate\.min_accuracy: is required"):
        load_config(path)


def test_broken_yaml_names_the_line(project):
    path = project("  epochs: 6", "  epochs: [8")
    with pytest.raises(ConfigError, match=r"pipeline.yaml line \d+: not valid YAML"):
        load_config(path)


@pytest.mark.parametrize("text", ["*quick start", "*/5 * * * *", "@daily"])
def test_broken_yaml_tells_of_quotes_where_they_help(project, text):
    path = project("name: quickstart", f"name: {text}")
    with pytest.raises(ConfigError, match=r"line .*begins with . or @ needs quotes"):
        load_config(path)


def test_missing_file_names_the_option(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml: No such file.*--config"):
        load_config(tmp_path / "none.yaml")


def test_yaml_tags_cannot_run_code(project):
    path = project("name: quickstart", "name: !!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigError):
        load_config(path)


def test_overrides_take_yaml_values():
    config = load_config(overrides=["train.epochs=3", "data.classes=[cat, dog]", "model.image_size=null", "seed=0"])
    assert config.train.epochs == 3
    assert config.data.classes == ("cat", "dog")
    assert config.model.image_size is None
    assert config.seed == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "expected section.key=value"),
        ("train.epoch=3", "--set train.epoch: unknown key; did you mean `epochs`?"),
        ("name.x=3", "name is a value, not a section"),
        ("train.epochs=0", "train.epochs must be 1 or more; 0, the classifier alone, is for train.recipe finetune"),
        ("tune.algorithm=hyperband", r"tune.epochs must be at least 3"),
        ("tune.randaugment_magnitude=[5, 15]", r"randaugment_layers of 1 or more"),
        ("tune.dropout_rate=[0.5, 0.1]", r"must be \[lowest, highest\]"),
        ("train.epochs=[", "not valid YAML"),
        ("schedule.cron=*/5 * * * *", r"""quotes inside the shell.s: --set 'schedule.cron="\*/5 \* \* \* \*"'"""),
        ("schedule.retries.wait=5", r"--set schedule.retries.wait: got '5', expected a whole number of s, m, h or d"),
        ("schedule.alerts.about=[push]", r"--set schedule.alerts.about.0: Input should be 'pushed'"),
        (
            "schedule.tune_when=sometimes",
            r"^--set schedule.tune_when: got 'sometimes', expected always, first, never, drift or "
            r"\{every: a whole number of at least 1\} or \{drift: a number of at least 0 and at most 1\} or null$",
        ),
        ("tune.when={evry: 3}", r"^--set tune.when: got \{'evry': 3\}, expected always, .*\{every: [^;]*$"),
        ("schedule.only_if.drift=2", r"drift: got 2, expected true or false or a number of at least 0 and at most 1$"),
    ],
)
def test_bad_override_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_paths_in_the_file_start_at_the_file_and_on_the_command_line_at_the_shell(project, tmp_path, monkeypatch):
    path = project("path: build/digits", "path: photos")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_config(path).data.path == str(tmp_path / "photos")
    assert load_config(path, ["data.path=photos"]).data.path == str(elsewhere / "photos")
    assert load_config(path, ["data.path=gs://bucket/photos"]).data.path == "gs://bucket/photos"


def test_weights_are_a_word_or_a_path(project, tmp_path):
    path = project("weights: none", "weights: own.weights.h5")
    assert load_config(path).model.weights == str(tmp_path / "own.weights.h5")
    assert load_config(path, ["model.weights=imagenet"]).model.weights == "imagenet"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.weights=https://example.org/w.h5"], "need weights_sha256"),
        (["model.weights=s3://bucket/w.h5"], "a path, http:// or https://"),
        (["model.weights_sha256=" + "a" * 64], "set weights_sha256 to null"),
        (["model.weights=https://example.org/w.h5", "model.weights_sha256=12"], "weights_sha256"),
        (["model.weights=imagenet", "model.variant=lite0"], "timm's tf_efficientnet_lite0"),
    ],
)
def test_weights_that_cannot_be_had_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(DEFAULT_PATH, overrides)


def test_weights_from_a_url_stay_as_they_are():
    overrides = ["model.weights=https://example.org/w.h5", f"model.weights_sha256={'a' * 64}"]
    assert load_config(DEFAULT_PATH, overrides).model.weights == "https://example.org/w.h5"


def test_fine_tuning_needs_weights():
    with pytest.raises(ConfigError, match=r"train\.recipe finetune.* needs model\.weights"):
        load_config(overrides=["train.recipe=finetune"])
    assert load_config(overrides=["train.recipe=finetune", "model.weights=imagenet"]).train.recipe == "finetune"


def test_augmentation_keys_are_checked_too():
    assert recipe_of(load_config(overrides=["train.augment.mixup=0.2"]).train).augment.mixup == 0.2
    with pytest.raises(ConfigError, match="did you mean `mixup`"):
        load_config(overrides=["train.augment.mixupp=0.2"])


def test_splits_must_leave_something_to_train_on():
    with pytest.raises(ConfigError, match="keeps 90% of the images from training"):
        load_config(overrides=["data.split.val=0.45", "data.split.eval=0.45"])


def test_json_schema_knows_every_key_of_the_shipped_file():
    schema = PipelineConfig.model_json_schema()
    assert set(yaml.safe_load(DEFAULT_PATH.read_text())) <= set(schema["properties"])


def test_a_search_can_be_due_every_so_many_runs():
    assert load_config(overrides=["tune.when={every: 3}"]).tune.when.every == 3
    with pytest.raises(ConfigError, match=r"tune\.when"):
        load_config(overrides=["tune.when=sometimes"])


def test_a_phi_replaces_the_variant_and_scales_the_image_size():
    overrides = ["model.variant=b7", "model.phi=1", "model.image_size=64", "model.alpha=1.4"]
    chosen = load_config(overrides=overrides).model.chosen_variant
    assert (chosen.depth_coefficient, chosen.width_coefficient, chosen.resolution) == (1.4, 1.1, 74)
    published = load_config(overrides=["model.variant=b4", "model.image_size=null"]).model.chosen_variant
    assert (published.name, published.resolution, published.depth_coefficient) == ("b4", 380, 1.8)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.weights=imagenet", "model.variant only"),
        ("model.image_size=2000", "pixels a side"),
        ("model.beta=0", "beta"),
    ],
)
def test_a_phi_that_gives_no_network_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=["model.phi=1", override])
