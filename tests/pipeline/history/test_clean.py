"""`effnet clean` and what is none of TFX's: searches of the tuner that another one replaced."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.history.metadata import open_store
from trainer.tuning.superseded import FOLDER


@pytest.fixture
def root(tmp_path) -> Path:
    """Of a pipeline with a search under way and another one that was set aside."""
    config = load_config(overrides=[f"runners.local.root={tmp_path}"])
    for place in ("0123/search/trial_0", f"{FOLDER}/4567-20240531T023000Z/search/trial_0"):
        folder = config.tuning_root / place
        folder.mkdir(parents=True)
        (folder / "record.json").write_text("{}")
    (config.tuning_root / "history.json").write_text("[]")
    return config.run_root


def clean(root: Path, *options: str) -> dict:
    setting = f"runners.local.root={root.parent}"
    command = [sys.executable, "-m", "pipeline.cli", "clean", "--json", "--set", setting, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("ran_before", [False, True])
def test_a_superseded_search_is_listed_and_then_deleted(root, ran_before):
    if ran_before:
        open_store(root / "metadata.sqlite").get_artifact_types()
    aside = root / "tuning" / FOLDER / "4567-20240531T023000Z"
    entry = {"path": str(aside), "kind": "superseded search", "bytes": 2, "artifact": None}
    assert clean(root) == {"deleted": False, "bytes": 2, "artifacts": [entry]}
    assert aside.is_dir()
    assert clean(root, "--yes")["deleted"]
    assert not aside.exists()
    assert (root / "tuning" / "0123" / "search" / "trial_0" / "record.json").is_file()
    assert (root / "tuning" / "history.json").is_file()
    assert (root / "metadata.sqlite").exists() == ran_before
    assert clean(root)["artifacts"] == []
