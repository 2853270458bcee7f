"""What a user who presses Ctrl-C, or a service manager that ends the command, gets to see; and typing mistakes."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

from pipeline.execution import signals
from pipeline.execution.signals import stoppable
from pipeline.terminal import make_console


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_a_word_on_how_to_go_on(number, monkeypatch):
    monkeypatch.setattr(signals, "_stopped_at", -signals.ECHO)  # or it would pass for the echo of the one before
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    monkeypatch.setattr(signals, "heeded", lambda: [number])  # a shell's `&` has Ctrl-C ignored, which is heeded
    out, before = io.StringIO(), signal.signal(number, usual)
    with pytest.raises(typer.Exit) as ended, stoppable(make_console(file=out)):
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert ended.value.exit_code == 128 + number
    assert "run the same command again to continue" in out.getvalue()
    assert signal.signal(number, before) is usual


def test_an_unknown_network_is_refused_before_tensorflow_is_loaded(tmp_path):
    command = ["-X", "importtime", "-P", "-m", "pipeline.cli", "scale", "compare", "--variant", "b9", "--quick-start"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert "error: --variant b9: expected one of b0, b1" in done.stderr
    assert "| typer" in done.stderr and "| tensorflow" not in done.stderr.replace("  ", "")
