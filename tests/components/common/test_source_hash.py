"""The hash follows the code and nothing else."""

import json

import pytest

from components.common.source_hash import source_hash


@pytest.fixture
def package(make_tree):
    return make_tree({"model.py": b"x = 1", "deep/layers.py": b"y = 2", "notes.txt": b"hello"}, "package")


def test_an_edit_a_rename_or_a_new_file_changes_it(package):
    seen = [source_hash(package)]
    (package / "model.py").write_text("x = 2")
    seen.append(source_hash(package))
    (package / "model.py").rename(package / "models.py")
    seen.append(source_hash(package))
    (package / "deep/more.py").touch()
    seen.append(source_hash(package))
    assert len(set(seen)) == 4


def test_other_files_order_and_place_do_not_change_it(package, tmp_path):
    before = source_hash(package, package / "model.py")
    (package / "notes.txt").write_text("changed")
    assert source_hash(str(package / "model.py"), package) == before
    moved = tmp_path / "elsewhere" / "package"
    moved.parent.mkdir()
    package.rename(moved)
    assert source_hash(moved, moved / "model.py") == before


def test_modules_stand_for_their_files():
    assert source_hash(json) == source_hash(json.__path__[0])
    assert source_hash(json.decoder) == source_hash(json.decoder.__file__)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        source_hash(tmp_path / "missing.py")
