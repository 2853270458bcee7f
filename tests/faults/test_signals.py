"""A signal to the process alone ends a command within 10 s, with the status that shells have; the next run resumes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.tiny_project import effnet, lines_until, make_tiny_project, start

pytestmark = pytest.mark.command

# After the line with these words comes the step that the signal meets; "" is while TFX is loaded.
MOMENTS = (
    (signal.SIGINT, ""),
    (signal.SIGTERM, "tiny:"),
    (signal.SIGINT, "] CuratedSchema"),
    (signal.SIGTERM, "] DataGate"),
    (signal.SIGINT, "preparing the network"),
    (signal.SIGHUP, "train: epoch"),
    (signal.SIGINT, "] ServedModel"),
    (signal.SIGTERM, "] ServingCheck"),
    (signal.SIGTERM, "] DataProfile"),
)
MOST_SECONDS = 10.0
SLOW_WORK = """
import sys, time
from pipeline.execution.supervisor import supervise
def work():
    print("at work", flush=True)
    {work}
sys.exit(supervise(work))
"""
WORKS = {
    "Python": "time.sleep(60)",
    # Ten minutes within one call of C code: no handler of Python's runs, and no other thread either.
    "C code": "import ctypes; ctypes.PyDLL(None).sleep(600)",
    "what catches everything": "exec('while True:\\n  try: time.sleep(60)\\n  except BaseException: pass')",
}


@pytest.fixture(autouse=True, scope="module")
def heeded() -> Iterator[None]:
    """Where the tests themselves run in the background, their children would ignore what the shell has ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def left_over(group: int) -> list[str]:
    """Processes of a group, but for those that this machine's init has yet to reap."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # one that ended meanwhile
            name, _, fields = status.read_text().rpartition(")")
            state, _, its_group = fields.split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(name)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_a_signal_ends_work_of_any_kind(work, number):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORK.format(work=work)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "at work\n"
    sent = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - sent < MOST_SECONDS
    assert process.returncode == 128 + number
    assert "run the same command again to continue" in out
    assert left_over(process.pid) == []


def test_a_second_ctrl_c_does_not_wait():
    work = WORKS["what catches everything"]
    process = subprocess.Popen([sys.executable, "-c", SLOW_WORK.format(work=work)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(1)  # until it is in its loop
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - sent < 4


def test_the_work_dies_with_its_parent():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORK.format(work=WORKS["C code"])], stdout=subprocess.PIPE, start_new_session=True
    )
    process.stdout.readline()
    process.kill()
    process.wait()
    until = time.monotonic() + MOST_SECONDS
    while left_over(process.pid):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_signal_that_nohup_ignores_stays_ignored():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORK.format(work="time.sleep(3)")], stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0


def writer_of(pipe: Path, process: subprocess.Popen) -> int:
    """Opens a pipe to write, once the process reads it."""
    while process.poll() is None:
        with contextlib.suppress(OSError):  # nobody reads it yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    raise AssertionError(process.stdout.read())


def test_a_command_that_only_looks_ends_with_the_status_of_its_signal(tmp_path):
    # Waits for the end of a pipe that nobody closes.
    os.mkfifo(tmp_path / "pipe")
    process = start(tmp_path, "config", "--config", "pipe")
    writer = writer_of(tmp_path / "pipe", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(MOST_SECONDS) == 130
    os.close(writer)


@pytest.mark.tfx
@pytest.mark.slow
def test_every_signal_at_every_step_ends_the_run_and_the_next_one_goes_on(tmp_path):
    folder = make_tiny_project(tmp_path)
    for number, words in MOMENTS:
        process = start(folder, "run", start_new_session=True)
        list(lines_until(process, words)) if words else time.sleep(2)
        time.sleep(1)
        sent = time.monotonic()
        process.send_signal(number)
        rest, _ = process.communicate(timeout=120)
        assert process.returncode == 128 + number, (words, rest)
        assert time.monotonic() - sent < MOST_SECONDS, words
        assert left_over(process.pid) == [], words
        for reader in ("runs", "models", "report"):
            assert effnet(folder, reader).returncode in (0, 1)
    finished = effnet(folder, "run")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "blessed and pushed" in finished.stdout
    assert "[ 6/13] Transform                  from cache" in finished.stdout
