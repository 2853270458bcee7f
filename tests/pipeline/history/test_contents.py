"""Whether an artifact still holds what its step wrote."""

import json
import os
import shutil
from pathlib import Path

import pytest

from components.common.events import Listener, RunEvent
from pipeline.history.contents import find_damage, forget, seal


@pytest.fixture
def uri(tmp_path) -> str:
    """A sealed artifact of three files, one of them empty."""
    folder = tmp_path / "artifacts" / "Trainer" / "model" / "7"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"weights")
    (folder / "BLESSED").touch()
    seal(str(folder))
    return str(folder)


class Listening(Listener):
    """Keeps the events that are reported meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[RunEvent] = []

    def take(self, event: RunEvent) -> None:
        self.events.append(event)


def note_of(uri: str) -> Path:
    return Path(uri).parents[1] / ".system" / "contents" / "model" / "7.json"


def test_a_sealed_artifact_is_whole(uri):
    assert find_damage(uri) == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "variables/data has 0 bytes, expected 7"),
        (b"weight", "variables/data has 6 bytes, expected 7"),
        (b"WEIGHTS", "variables/data has another content than when it was written"),
    ],
)
def test_damage_is_named(uri, content, said):
    (Path(uri) / "variables" / "data").write_bytes(content)
    assert find_damage(uri) == said


def test_a_missing_file_is_damage_and_so_is_a_missing_folder(uri):
    (Path(uri) / "BLESSED").unlink()
    assert find_damage(uri) == "BLESSED is missing"
    shutil.rmtree(uri)
    assert find_damage(uri).endswith("is missing")


def test_a_change_that_kept_size_and_time_is_found(uri):
    data = Path(uri) / "variables" / "data"
    time = data.stat().st_mtime_ns
    data.write_bytes(b"WEIGHTS")
    os.utime(data, ns=(time, time))
    assert find_damage(uri) == "variables/data has another content than when it was written"


def test_a_restored_artifact_is_read_once_and_then_known(uri, tmp_path):
    shutil.copytree(tmp_path / "artifacts", tmp_path / "backup")
    shutil.rmtree(tmp_path / "artifacts")
    shutil.move(tmp_path / "backup", tmp_path / "artifacts")
    before = note_of(uri).read_text()
    with Listening() as heard:
        assert find_damage(uri) == ""
    assert note_of(uri).read_text() != before
    assert any(event.message.startswith(f"reading {uri}") for event in heard.events), "which may take minutes"
    after = note_of(uri).stat()
    assert find_damage(uri) == ""
    assert note_of(uri).stat() == after, "nothing was touched since"


def test_without_a_note_nobody_knows(uri):
    forget(uri)
    assert find_damage(uri) is None


@pytest.mark.parametrize("note", ["", "{", "[1]", '{"a": 1}', '{"a": {"size": 1}}'])
def test_a_damaged_note_is_damage(uri, note):
    note_of(uri).write_text(note)
    assert find_damage(uri) == "the note of its content is damaged"


def test_further_files_are_no_damage(uri):
    (Path(uri) / "later").touch()
    assert find_damage(uri) == ""
    assert "later" not in json.loads(note_of(uri).read_text())


def test_remote_artifacts_are_left_to_their_store():
    seal("s3://bucket/artifacts/Trainer/model/7")
    assert find_damage("s3://bucket/artifacts/Trainer/model/7") == ""
