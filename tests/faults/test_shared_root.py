"""One folder for two users or two machines: who waits, who is refused, who may look, and what is said."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.run_lock import HOST, NotWritable, hold, holder_of, is_held
from pipeline.schedule.attempts import Kind
from tests.faults.tiny_project import effnet, make_tiny_project
from tests.mounts import mounted, set_read_only
from tests.pipeline.schedule.conftest import stand_in  # noqa: F401
from tests.pipeline.schedule.helpers import held, left_running, schedule
from tests.pipeline.schedule.test_crashes import alive

pytestmark = pytest.mark.command

CONFIG = "name: flowers\ndata: {path: photos}\nevaluate: {min_accuracy: 0.1, max_accuracy_drop: 0.0}\n"
SCHEDULED = "schedule: {cron: '0 2 * * *'}\n"
HOLD = """
import sys, time
from pathlib import Path
from pipeline.run_lock import hold
with hold(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    time.sleep(60)
"""


def make_store(database: Path) -> None:
    """A metadata store with one run that stopped before its first step."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    from pipeline.history.metadata import open_store

    database.parent.mkdir(parents=True)
    store = open_store(database)
    for name in ("pipeline_run", "node"):
        kind = store.put_context_type(mlmd.ContextType(name=name))
        store.put_contexts([mlmd.Context(type_id=kind, name=f"a {name}")])


@pytest.mark.parametrize("left", ["nothing", "a run"])
def test_whoever_may_only_read_can_see_everything(tmp_path, left):
    with mounted(tmp_path / "disk", "size=20m") as disk:
        (disk / "pipeline.yaml").write_text(CONFIG + SCHEDULED)
        (disk / "photos").mkdir()
        if left == "a run":
            make_store(disk / "build" / "flowers" / "metadata.sqlite")
            assert schedule(disk, "trigger", "--set", "schedule.retries.times=0").returncode == 4
        set_read_only(disk, True)
        for words in (["runs"], ["models"], ["config"], ["schedule", "list"], ["schedule", "history"]):
            done = effnet(disk, *words)
            assert done.returncode == 0, (words, done.stderr)
        refused = effnet(disk, "clean")
        assert refused.returncode == 1
        assert "is on a read-only file system; set runners.local.root" in refused.stderr


def test_a_user_who_may_not_write_is_told_whose_folder_it_is():
    if os.getuid() != 0:
        pytest.skip("needs the right to become another user")
    shared = Path(tempfile.mkdtemp())
    shared.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(65534)
            with hold(shared / "flowers", "run"):
                pass
        except NotWritable as error:
            code = 0 if f"{shared} belongs to root" in str(error) and "docs/operations.md" in str(error) else 2
        finally:
            os._exit(code)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(shared)


def test_to_look_whether_a_lock_is_held_is_no_hindrance(tmp_path):
    assert not is_held(tmp_path, "run")
    with held(tmp_path, "run"):
        (tmp_path / "run.lock").chmod(0o444)
        assert is_held(tmp_path, "run") and is_held(tmp_path, "run")
    assert not is_held(tmp_path, "run")
    with hold(tmp_path, "run"):
        pass


def other_machine(folder: Path) -> subprocess.Popen[str]:
    """A process on a machine of another name that holds the folder."""
    named = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
    command = [*named, sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if process.stdout.readline() != "held\n":
        pytest.skip(f"needs the right to name a machine: {process.stderr.read()}")
    return process


def test_a_run_of_another_machine_is_named_with_its_machine(tmp_path):
    process = other_machine(tmp_path / "build" / "flowers")
    try:
        (tmp_path / "pipeline.yaml").write_text(CONFIG)
        (tmp_path / "photos").mkdir()
        refused = effnet(tmp_path, "run")
        assert refused.returncode == 1
        assert f"another run of flowers is under way, process {process.pid} on elsewhere since" in refused.stderr
    finally:
        process.kill()
        process.wait()
    assert not is_held(tmp_path / "build" / "flowers", "run")  # the kernel let go of it


def test_a_process_id_of_another_machine_is_not_taken_for_one_of_ours(stand_in):  # noqa: F811
    coordinator = stand_in.coordinator()
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        left_running(coordinator, stand_in.clock(), Kind.TRIGGERED)
        (attempt,) = coordinator.store.attempts()
        coordinator.store.note(type(attempt)(**{**vars(attempt), "process": innocent.pid}))
        root = coordinator.config.run_root
        with held(root, "run"):
            written = f"{innocent.pid} {datetime.now(UTC).isoformat()} elsewhere"
            (root / "run.holder").write_text(written)
            assert holder_of(root, "run").host == "elsewhere" != HOST
            coordinator._launcher.recover(coordinator.config, None)
            time.sleep(0.5)
            assert alive(innocent.pid)
            (root / "run.holder").write_text(written.replace("elsewhere", HOST))
            left_running(coordinator, stand_in.clock(), Kind.TRIGGERED)
            last = coordinator.store.attempts()[-1]
            coordinator.store.note(type(last)(**{**vars(last), "process": innocent.pid}))
            coordinator._launcher.recover(coordinator.config, None)
            innocent.wait(20)
            assert innocent.returncode == -signal.SIGTERM
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.tfx
@pytest.mark.slow
def test_a_backup_of_the_root_is_all_that_a_restored_project_needs(tmp_path):
    folder = make_tiny_project(tmp_path / "project")
    assert effnet(folder, "run").returncode == 0
    before = {words: effnet(folder, words, "--json").stdout for words in ("runs", "models", "lineage")}
    with tarfile.open(tmp_path / "backup.tar", "w") as archive:
        archive.add(folder / "build", "build")
    shutil.rmtree(folder / "build")
    assert "no model is served" in effnet(folder, "models").stdout
    with tarfile.open(tmp_path / "backup.tar") as archive:
        archive.extractall(folder, filter="fully_trusted")
    assert {words: effnet(folder, words, "--json").stdout for words in before} == before
    again = effnet(folder, "run")
    assert again.returncode == 0, again.stdout
    assert "[ 7/13] Trainer                    from cache" in again.stdout
    assert "unchanged" in again.stdout
