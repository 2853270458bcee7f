"""A project folder may have any name."""

from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.config.model import ConfigError
from pipeline.config.plain_path import MISREAD, plain_path, real_path

HOSTILE = ["proj [v1]", "what?", "st*r", "back\\slash"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_reached_by_a_plain_path(tmp_path, name):
    there = tmp_path / name / "build"
    path = plain_path(str(there))
    assert not MISREAD.search(path)
    Path(path).mkdir(parents=True)
    assert there.is_dir()
    assert real_path(path) == str(there)
    assert plain_path(str(there)) == path, "the same each time, for the cache's keys"


def test_a_plain_path_and_a_remote_one_stay_as_they_are(tmp_path, cache):
    for path in (str(tmp_path / "proj"), "s3://bucket/models [prod]"):
        assert plain_path(path) == real_path(path) == path
    assert not cache.exists()


def test_weights_keep_the_suffix_that_tells_what_they_are(tmp_path):
    weights = tmp_path / "net [a].keras"
    weights.write_bytes(b"weights")
    assert plain_path(str(weights)).endswith(".keras")
    assert Path(plain_path(str(weights))).read_bytes() == b"weights"


def test_a_project_folder_of_any_name_gives_plain_places_to_write_to(tmp_path):
    project = tmp_path / "proj [v1] x?"
    project.mkdir()
    (project / "pipeline.yaml").write_text(
        "name: tiny\ndata: {path: 'photos [2024]'}\nevaluate: {min_accuracy: 0.5, max_accuracy_drop: 0}\n"
        "push: {path: 'models [prod]'}\nrunners: {local: {root: build}}\n"
    )
    config = load_config(project / "pipeline.yaml")
    assert config.data.path == str(project / "photos [2024]"), "only this project's code reads the images"
    for path, place in ((config.push_path, "models [prod]"), (str(config.run_root), "build/tiny")):
        assert not MISREAD.search(path)
        assert real_path(path) == str(project / place)


def test_a_hostile_cache_is_no_place_for_links(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "[x]"))
    assert not MISREAD.search(plain_path(str(tmp_path / "proj [v1]")))


def test_without_a_plain_way_the_configuration_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"push.path: .*no link to it can be made .*: choose another folder"):
        load_config(overrides=["push.path=/data/models [prod]"])
