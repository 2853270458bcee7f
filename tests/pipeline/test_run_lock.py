"""Two runs at once: the second is told who runs, and a killed run is in nobody's way."""

import multiprocessing
import os
import signal
import time

import pytest

from pipeline.run_lock import RunInProgress, only_run


def hold(run_root, held) -> None:
    with only_run(run_root):
        held.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder `quickstart`."""
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "quickstart", held))
    process.start()
    assert held.wait(10)
    yield process
    process.kill()
    process.join()


def test_a_second_run_is_refused_in_one_line_that_names_the_first(tmp_path, holder):
    refusal = pytest.raises(RunInProgress, match=rf"run of quickstart .* process {holder.pid} since .*`name`")
    with refusal, only_run(tmp_path / "quickstart"):
        pytest.fail("two runs at once")
    with refusal, only_run(tmp_path / "quickstart"):
        pytest.fail("the refused one let the first go")


def test_another_pipeline_runs_beside_it(tmp_path, holder):
    with only_run(tmp_path / "flowers"):
        pass


def test_a_killed_run_is_in_nobodys_way(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    for _ in range(2):
        with only_run(tmp_path / "quickstart"):
            pass
