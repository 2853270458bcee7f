"""A folder on a storage that only Beam can reach."""

import shutil
from pathlib import Path

import pytest

from components.atomic_pusher.store import push, rollback
from components.common import files
from components.common.errors import DataError
from components.common.ingest_report import read_summary
from components.image_example_gen.sources.listing import fingerprint, list_folder
from components.served_model.record import PushRecord
from components.served_model.versions import pushed_models, pushed_versions
from tests.components.image_example_gen.test_ingest_tfx import ingest, read_examples, value  # noqa: F401 - ingest is a fixture

pytestmark = pytest.mark.tfx

SCHEME = "mounted"


@pytest.fixture(scope="module", autouse=True)
def mounted_storage():
    """Give local folders a second address that starts with mounted://."""
    from apache_beam.io.filesystem import FileMetadata
    from apache_beam.io.localfilesystem import LocalFileSystem

    prefix = f"{SCHEME}://"

    class MountedFileSystem(LocalFileSystem):
        @classmethod
        def scheme(cls):
            return SCHEME

        def _list(self, dir_or_prefix):
            for found in super()._list(dir_or_prefix.removeprefix(prefix)):
                yield FileMetadata(prefix + found.path, found.size_in_bytes, found.last_updated_in_seconds)

        def _path_open(self, path, *args, **kwargs):
            return super()._path_open(path.removeprefix(prefix), *args, **kwargs)

        def create(self, path, *args, **kwargs):
            return super().create(path.removeprefix(prefix), *args, **kwargs)

        def delete(self, paths):
            for path in paths:
                Path(path.removeprefix(prefix)).unlink()

        def copy(self, sources, destinations):
            for source, destination in zip(sources, destinations, strict=True):
                target = Path(destination.removeprefix(prefix))
                target.parent.mkdir(parents=True, exist_ok=True)  # an object store has no folders
                shutil.copyfile(source.removeprefix(prefix), target)

        def exists(self, path):
            return super().exists(path.removeprefix(prefix))

    return MountedFileSystem


@pytest.fixture
def root(make_tree) -> Path:
    return make_tree({"cat/1.png": b"one", "cat/deep/2.png.gz": b"two!", "dog/3.png": b"three", ".git/x": b"x"})


def test_a_remote_folder_lists_as_a_local_one_does(root):
    local, remote = list_folder(str(root)), list_folder(f"{SCHEME}://{root}")
    assert [(entry.path, entry.size) for entry in remote.files] == [(entry.path, entry.size) for entry in local.files]
    assert remote.folders == local.folders
    assert [rejected.reason for rejected in remote.rejected] == ["ignored"]


def test_the_remote_fingerprint_follows_a_new_image(root):
    before = fingerprint(list_folder(f"{SCHEME}://{root}"))
    assert fingerprint(list_folder(f"{SCHEME}://{root}")) == before
    (root / "dog" / "4.png").touch()
    assert fingerprint(list_folder(f"{SCHEME}://{root}")) != before


def test_remote_files_are_read_and_written_as_they_are(root):
    assert files.read_bytes(f"{SCHEME}://{root}/cat/deep/2.png.gz") == b"two!"
    files.write_text(f"{SCHEME}://{root}/été.txt", "é")
    assert (root / "été.txt").read_bytes() == "é".encode()
    with pytest.raises(OSError, match="missing"):
        files.read_bytes(f"{SCHEME}://{root}/missing")


def test_a_piece_of_a_remote_file_is_read_and_a_missing_end_is_an_error(root):
    assert files.read_range(f"{SCHEME}://{root}/dog/3.png", 1, 3) == b"hre"
    with pytest.raises(OSError, match="ends before byte 9"):
        files.read_range(f"{SCHEME}://{root}/dog/3.png", 1, 8)


@pytest.mark.usefixtures("in_memory_beam")
def test_remote_images_shards_and_manifests_are_ingested_as_local_ones(digits, make_tree, ingest):  # noqa: F811
    scans = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(digits.glob("[12]/*.png"))[::6]}
    folder = make_tree(scans, "scans")
    rows = [f"{path},{path.partition('/')[0]}" for path in scans]
    make_tree({"labels.csv": "\n".join(["path,label", *rows]).encode()}, "scans")
    artifact, report = ingest(f"{SCHEME}://{folder}/labels.csv", "manifest")
    whole = read_examples(artifact.uri)
    assert read_summary(report).examples == len(scans)
    again, report = ingest(f"{SCHEME}://{artifact.uri}", "shards")
    assert read_summary(report).examples == len(scans)

    def contents(examples):
        return {split: sorted(value(example, "sha256") for example in found) for split, found in examples.items()}

    assert contents(read_examples(again.uri)) == contents(whole)


def test_remote_versions_are_found(make_tree):
    root = make_tree({"3/saved_model.pb": b"x", "12/saved_model.pb": b"x", "13/variables/x": b"x"}, "push")
    assert pushed_versions(f"{SCHEME}://{root}") == ["12", "3"]


def test_models_are_pushed_pruned_and_rolled_back_on_a_storage(make_tree, tmp_path):
    models = [
        str(make_tree({"saved_model.pb": name, "variables/x": b"x"}, name.decode())) for name in (b"a", b"b", b"c")
    ]
    push_path = f"{SCHEME}://{tmp_path}/served"
    first, second, _third = (push(model, push_path, PushRecord(), keep=3) for model in models)
    back = rollback(push_path, first.version, keep=3)
    assert pushed_models(push_path)[0] == back
    assert not (tmp_path / "served" / first.version / "saved_model.pb").exists(), "beyond the three that are kept"
    served = tmp_path / "served" / back.version
    assert (served / "saved_model.pb").read_bytes() == b"a"
    assert (served / "variables" / "x").read_bytes() == b"x"
    assert pushed_models(push_path)[-1] == second


def test_a_storage_that_beam_does_not_know_is_an_error_that_says_so():
    with pytest.raises(DataError, match="cannot list nowhere://images"):
        list_folder("nowhere://images")
