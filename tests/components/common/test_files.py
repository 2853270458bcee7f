"""A path is never a pattern, and what was written is whole."""

import os
from pathlib import Path

import pytest

from components.common import durable, files

HOSTILE = ["models [prod]", "mod*els", "what?", "[!a]", "[", "a]b", "back\\slash", "{a,b}", "[/red]"]


def tree(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_s_name_is_no_pattern(tmp_path, name):
    tree(tmp_path, "models p/1/m", "models/1/m", "modxels/1/m", "whatx/1/m", "b/1/m", "a/1/m", f"{name}/1/m")
    folder = str(tmp_path / name)
    assert files.find(folder, "*/m") == [f"{folder}/1/m"]
    assert files.walk(folder) == ["1/m"]
    assert files.sizes(folder) == {"1/m": 1}
    if "\\" not in name:  # of which TensorFlow makes an escape
        assert files.expand([files.all_in(f"{folder}/1").replace(files.escape(folder), folder)]) == [f"{folder}/1/m"]


@pytest.mark.tfx
@pytest.mark.parametrize("name", [name for name in HOSTILE if "\\" not in name])
def test_the_libraries_read_the_pattern_of_a_folder_as_we_do(tmp_path, name):
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems

    tree(tmp_path, "models p/m", "modxels/m", "whatx/m", "a/m", "b/m", f"{name}/m")
    wanted = [str(tmp_path / name / "m")]
    pattern = files.all_in(str(tmp_path / name))
    assert tf.io.gfile.glob(pattern) == wanted
    assert [found.path for found in FileSystems.match([pattern])[0].metadata_list] == wanted


def test_nothing_is_found_where_nothing_is_but_what_cannot_be_listed_is_an_error(tmp_path):
    assert files.find(str(tmp_path / "missing"), "*") == []
    assert files.walk(str(tmp_path / "missing")) == []
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        files.find(str(tmp_path / "file"), "*")


def test_a_pattern_without_files_names_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing matches .*/Split-train/"):
        files.expand([f"{tmp_path}/Split-train/*"])


def test_a_failed_write_leaves_what_was_there_and_no_litter(tmp_path):
    files.write_text(str(tmp_path / "record"), "old")
    with pytest.raises(RuntimeError), durable.replaced(tmp_path / "record") as file:
        file.write(b"half")
        raise RuntimeError
    assert (tmp_path / "record").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["record"]


def test_a_written_file_has_the_mode_that_others_have_and_a_replaced_one_keeps_its_own(tmp_path):
    (tmp_path / "plain").touch()
    files.write_text(str(tmp_path / "new"), "x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o600)
    files.write_text(str(tmp_path / "new"), "y")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_a_linked_file_is_replaced_and_not_written_into(tmp_path):
    files.write_text(str(tmp_path / "model" / "record"), "the artifact's")
    files.bring(str(tmp_path / "model"), str(tmp_path / "served"))
    files.write_text(str(tmp_path / "served" / "record"), "the version's")
    assert (tmp_path / "model" / "record").read_text() == "the artifact's"


def test_file_folder_and_name_are_synced_in_this_order(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    files.write_text(str(tmp_path / "record"), "x")
    assert done == ["file", "rename", "folder"]
