"""Which pipeline.yaml a command reads."""

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import DEFAULT_PATH, ConfigSource, load_config
from pipeline.config.model import ConfigError

NEED_A_FILE = [
    ["run"],
    ["predict", "photo.jpg"],
    ["models"],
    ["rollback"],
    ["serve"],
    ["runs"],
    ["report"],
    ["compare", "1", "2"],
    ["lineage"],
    ["clean"],
    ["config"],
    ["scale", "search"],
    ["scale", "study"],
    ["scale", "compare"],
    ["schedule", "start"],
    ["schedule", "tick"],
    ["schedule", "install"],
    ["schedule", "pause"],
    ["schedule", "resume"],
    ["schedule", "trigger"],
    ["schedule", "backfill", "--from", "1", "--to", "2"],
    ["schedule", "list"],
    ["schedule", "history"],
    ["schedule", "create", "--engine", "kubeflow"],
    ["schedule", "delete", "--engine", "kubeflow"],
]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EFFNET_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("arguments", NEED_A_FILE, ids=" ".join)
def test_a_folder_without_pipeline_yaml_is_left_alone_and_told_what_to_do(arguments, empty):
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, ConfigError)
    assert f"no pipeline.yaml in {empty}" in str(done.exception)
    assert "effnet init FOLDER" in str(done.exception) and "--quick-start" in str(done.exception)
    assert not list(empty.iterdir())


@pytest.mark.parametrize("arguments", [["config", "--schema"], ["scale", "cost"]], ids=" ".join)
def test_what_needs_no_images_needs_no_file(arguments, empty):
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_the_quick_start_reads_the_shipped_settings_as_if_they_were_here(empty):
    settings = ConfigSource(quick_start=True).load()
    assert settings.data.path == str(empty / "build" / "digits")
    assert settings.run_root == empty / "build" / "quickstart"
    assert settings.push_path == str(empty / "build" / "quickstart" / "served")


def test_an_override_of_the_quick_start_starts_at_the_shell_too(empty):
    assert ConfigSource(overrides=("data.path=photos",), quick_start=True).load().data.path == str(empty / "photos")


def test_the_quick_start_is_refused_beside_a_file(empty):
    (empty / "pipeline.yaml").write_text("name: mine\n")
    with pytest.raises(ConfigError, match="exists; drop the option"):
        ConfigSource(quick_start=True).load()


def test_the_quick_start_and_a_named_file_exclude_each_other(empty):
    with pytest.raises(ConfigError, match="drop one"):
        ConfigSource(DEFAULT_PATH, quick_start=True).load()


def test_a_schedule_has_no_quick_start(empty):
    done = CliRunner().invoke(app, ["schedule", "list", "--quick-start"])
    assert "a schedule needs a pipeline.yaml of its own" in str(done.exception)


def test_a_named_file_wins_over_the_one_here(empty):
    (empty / "pipeline.yaml").write_text("name: here\n")
    assert ConfigSource(DEFAULT_PATH).load().name == "quickstart"


def test_a_root_that_the_file_leaves_out_is_beside_the_file_too(tmp_path, monkeypatch):
    text = "name: a\ndata: {path: photos}\nevaluate: {min_accuracy: 0.1, max_accuracy_drop: 0}\n"
    for more in ("", "runners: {}\n", "runners: {local: {}}\n", "runners: {beam: []}\n"):
        (tmp_path / "pipeline.yaml").write_text(text + more)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert load_config(tmp_path / "pipeline.yaml").run_root == tmp_path / "build" / "a"
    (tmp_path / "pipeline.yaml").write_text(text + "runners: 3\n")
    with pytest.raises(ConfigError, match="runners"):
        load_config(tmp_path / "pipeline.yaml")
