"""No fact is read from prose: with every message worded differently, runs, schedule and report come to the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.exit_codes import ExitCode
from tests.faults.project import SECONDS, SETTINGS
from tests.faults.tiny_project import make_tiny_project
from tests.rewording import reword_rooms

pytestmark = [pytest.mark.slow, pytest.mark.tfx]


def test_the_same_verdicts_come_of_messages_in_other_words(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    reword_rooms(elsewhere)
    project = make_tiny_project(tmp_path / "project")
    settings = SETTINGS.replace("PHOTOS", "photos").replace("max_accuracy_drop: 0,", "max_accuracy_drop: 1.0,")
    (project / "pipeline.yaml").write_text(settings)

    def effnet(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "pipeline.cli", *words],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(elsewhere)},
            capture_output=True,
            text=True,
            timeout=3 * SECONDS,
        )

    def shown(*words: str) -> list[dict]:
        return json.loads(effnet(*words, "--json").stdout)

    pushed = effnet("run")
    assert pushed.returncode == ExitCode.PUSHED, pushed.stdout + pushed.stderr
    assert re.search(r"^\[ 1/\d+\] ImageExampleGen +\d+ s$", pushed.stdout, re.MULTILINE)
    unchanged = effnet("schedule", "trigger")
    assert unchanged.returncode == ExitCode.PUSHED, unchanged.stdout + unchanged.stderr
    refused = effnet("run", "--set", "evaluate.min_accuracy=1.0")
    assert refused.returncode == ExitCode.GATE_REFUSED, refused.stdout + refused.stderr
    assert "gnihton dehsup" in refused.stdout, "the words are other ones"
    spoiled = effnet("schedule", "trigger", "--set", "data.min_images_per_class=1000")
    assert spoiled.returncode == ExitCode.GATE_REFUSED, spoiled.stdout + spoiled.stderr
    assert [run["result"] for run in shown("runs")] == ["pushed", "unchanged", "refused", "stopped"]
    history = shown("schedule", "history")
    assert [attempt["verdict"] for attempt in history] == ["unchanged", "refused"]
    assert history[0]["metrics"] and history[0]["run"] == 2
    assert all(Path(run["report"]).is_file() for run in shown("runs"))
