"""A run that is killed, loses power or has no room loses nothing: the next one completes and pushes.

What is served is never worse than before, every command that looks works, and what is damaged is made again.
"""

import functools
import random
import time
from pathlib import Path

import pytest

from components.common.durable import sync_tree
from tests.faults.disk import disk_on
from tests.faults.project import Project, moments, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.tfx]

# The outputs that are damaged before, so that a run makes them, and what follows from them, again.
ANEW = ("nothing", "StatisticsGen/statistics", "Transform/transformed_examples", "GatedEvaluator/evaluation")
DISK = 256  # MB


def damage(project: Project, output: str) -> None:
    """Leave every execution's output with files that are empty, as a power cut does."""
    if output == "nothing":
        return
    files = [path for path in (project.folder / "build/tiny/artifacts" / output).rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"")


@pytest.fixture(scope="module")
def calls_of(trained):
    """calls_of(damaged, *command): how many calls that change the disk the command makes, asked once each."""

    @functools.cache
    def count(damaged: str, *command: str) -> int:
        trained.restore()
        damage(trained, damaged)
        return trained.count_calls(*command)

    return count


def check(project: Project) -> None:
    project.check_readable()
    served = {model["fingerprint"] for model in project.models()}
    assert served, "what was served before still is"
    project.check_next_run()
    assert len(project.models()) == 2
    project.check_readable(("runs",), ("lineage",))


@pytest.mark.parametrize("output", ANEW)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_it_is_killed(trained, calls_of, output, share):
    calls = calls_of(output, "run")
    trained.restore()
    damage(trained, output)
    assert trained.effnet("run", at=max(1, round(share * calls))).returncode == -9
    check(trained)


@pytest.mark.parametrize("seconds", [1.0, 6.0, 12.0, 20.0])
def test_it_is_killed_at_any_moment(trained, seconds):
    trained.restore()
    damage(trained, "Transform/transformed_examples")
    process = trained.start("run")
    time.sleep(seconds + random.random())
    process.kill()
    process.communicate()
    check(trained)


@pytest.mark.parametrize("command", [("schedule", "trigger"), ("clean", "--yes", "--keep-runs", "1")])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_another_command_is_killed(trained, calls_of, command, share):
    calls = calls_of("nothing", *command)
    trained.restore()
    assert trained.effnet(*command, at=max(1, round(share * calls))).returncode == -9
    check(trained)


@pytest.mark.parametrize("output", ANEW)
@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_the_power_fails(trained, tmp_path, calls_of, output, share):
    calls = calls_of(output, "run")
    with disk_on(trained.folder, tmp_path / "disk.ext4", DISK) as disk:
        trained.restore()
        damage(trained, output)
        disk.sync()
        process = trained.start("run", at=max(1, round(share * calls)), how="stop")
        wait_for(trained.notes / "cut", process)
        disk.lose_power(process)
        check(trained)


def test_the_power_fails_after_it(trained, tmp_path):
    with disk_on(trained.folder, tmp_path / "disk.ext4", DISK) as disk:
        trained.restore()
        disk.sync()
        trained.check_next_run()
        disk.lose_power()
        assert len(trained.models()) == 2
        trained.check_readable()
        trained.check_next_run()


@pytest.mark.parametrize("kilobytes", [0, 16, 64, 128, 256, 512, 1024, 2048, 4096, 16384])
def test_the_disk_is_full(trained, tmp_path, kilobytes):
    with disk_on(trained.folder, tmp_path / "disk.ext4", DISK) as disk:
        trained.restore()
        damage(trained, "GatedEvaluator/evaluation")
        filler = disk.fill(leave=kilobytes << 10)
        done = trained.effnet("run")
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stdout
        (served, *_) = trained.models()
        assert not served["problem"]
        filler.unlink()
        check(trained)


def test_a_restored_backup_is_as_good_as_what_was_backed_up(trained):
    trained.restore()
    sync_tree(Path(trained.folder))
    done = trained.effnet("run")
    assert "damaged" not in done.stdout
    assert "[ 7/13] Trainer                    from cache" in done.stdout, "its inode and ctime are others now"


def test_the_moments_are_spread():
    assert moments(10, 4) == [1, 4, 7, 10]
