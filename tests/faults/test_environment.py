"""What the environment of a command may be set to, and what is said where it cannot work."""

import os
import re
import subprocess
import sys
import time

import pytest

from pipeline.execution.failures import describe
from pipeline.history.metadata import open_store
from tests.e2e.user_project import BIN
from tests.faults.tiny_project import EFFNET, effnet, make_tiny_project
from tests.mounts import mounted

pytestmark = pytest.mark.command

IN_A_PROCESS = """
import sys
from pipeline.start import forget_warning_options
from pipeline.execution.failures import describe
from trainer.fit.process import call_in_fresh_process
import os, signal
forget_warning_options()
if __name__ == "__main__":
    try:
        print("answer", call_in_fresh_process({call}))
    except Exception as error:
        print("error", describe(error))
"""


def fresh_process(tmp_path, call: str, *before: str, **environment: str) -> str:
    script = tmp_path / "script.py"
    script.write_text(IN_A_PROCESS.format(call=call))
    done = subprocess.run(
        [*before, sys.executable, str(script)], capture_output=True, text=True, timeout=240,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout.splitlines()[-1] if done.stdout else done.stderr


@pytest.mark.network
@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("end", ["sys.exit", "os._exit"])
def test_a_training_that_ends_its_process_is_no_success(tmp_path, end, code):
    said = fresh_process(tmp_path, f"{end}, {code}")
    assert said.startswith("error ") and f"ended by itself, with status {code}" in said, said


@pytest.mark.parametrize("name", ["PYTHONWARNINGS", "PYTHONOPTIMIZE"])
def test_settings_for_those_who_work_on_a_package_change_nothing(tmp_path, name):
    value = {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"}[name]
    plain = effnet(tmp_path, "runs", "--help")
    done = effnet(tmp_path, "runs", "--help", env={**os.environ, name: value})
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, "")
    assert "List runs" in done.stdout


def test_python_without_docstrings_is_refused_where_it_was_asked_for(tmp_path):
    done = subprocess.run([sys.executable, "-OO", EFFNET, "runs"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: python -OO removes docstrings, which TFX needs; start effnet without it\n"


@pytest.mark.network
def test_a_training_starts_though_warnings_are_errors(tmp_path):
    assert fresh_process(tmp_path, "abs, -7", PYTHONWARNINGS="error") == "answer 7"


@pytest.mark.network
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("os._exit, 3", "with status 3; what it printed last"),
        ("signal.raise_signal, signal.SIGKILL", "was killed by SIGKILL, most likely out of memory"),
        ("signal.raise_signal, signal.SIGSEGV", "was killed by SIGSEGV"),
    ],
)
def test_how_a_training_process_died_is_said(tmp_path, call, said):
    assert said in fresh_process(tmp_path, call)


def test_no_shared_memory_is_named(tmp_path):
    read_only = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && exec "$@"', "sh"]
    if subprocess.run([*read_only, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    assert "error /dev/shm is not writable" in fresh_process(tmp_path, "abs, -7", *read_only)


def test_a_full_disk_is_named_with_what_is_left_and_without_sql(tmp_path):
    with mounted(tmp_path / "disk", "size=64k") as disk:
        with pytest.raises(Exception, match="disk") as failed:
            open_store(disk / "metadata.sqlite")
        told = describe(failed.value, disk)
    assert re.fullmatch(rf"the disk is full \({disk} has [\d.]+ k?B left\); free some space, .* run again", told)
    assert "INSERT" not in told and "CREATE" not in told


@pytest.mark.tfx
@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_500_000_000, 3_000_000_000, 3_500_000_000])
def test_too_little_memory_ends_a_run_with_a_named_error(tmp_path, limit):
    folder = make_tiny_project(tmp_path)
    started = time.monotonic()
    done = subprocess.run(
        ["prlimit", f"--as={limit}", BIN / "effnet", "run"], cwd=folder, capture_output=True, text=True, timeout=500
    )
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1), said
    if done.returncode:
        assert "out of memory" in said or "memory ran out" in said, said
        assert "see `ulimit -v`" in said, said
    assert time.monotonic() - started < 400
    assert effnet(folder, "models").returncode == 0


def test_signals_of_memory_are_not_taken_for_the_user_s(tmp_path):
    work = "import sys, os, signal\nfrom pipeline.execution.supervisor import supervise\n"
    work += "sys.exit(supervise(lambda: os.kill(os.getpid(), signal.SIGKILL)))"
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "was killed by SIGKILL, most likely because somebody killed it or memory ran out" in done.stderr
