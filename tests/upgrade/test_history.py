"""A clone without the earlier version's commit says how to get it."""

import subprocess

import pytest

from tests.upgrade.make_project import NoHistory, earlier_source


def git(*arguments, cwd):
    command = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def test_a_shallow_clone_names_the_command_that_helps(tmp_path):
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    git("init", "-q", cwd=origin)
    for version in ("first", "second"):
        (origin / "version").write_text(version)
        git("add", ".", cwd=origin)
        git("commit", "-qm", version, cwd=origin)
    first = git("rev-parse", "HEAD~1", cwd=origin)
    git("clone", "-q", "--depth", "1", origin.as_uri(), str(clone), cwd=tmp_path)
    with pytest.raises(NoHistory, match=rf"commit {first[:7]} .*git fetch --unshallow"):
        earlier_source(first, clone)
    git("fetch", "-q", "--unshallow", cwd=clone)
    assert b"first" in earlier_source(first, clone)


def test_a_folder_without_history_is_named(tmp_path):
    with pytest.raises(NoHistory, match=f"{tmp_path} is not a git clone"):
        earlier_source(repository=tmp_path)
