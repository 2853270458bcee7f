"""Commands that only look answer at once, since they import none of the heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "tfx", "apache_beam", "matplotlib")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["config"],
        ["models"],
        ["runs"],
        ["report"],
        ["lineage"],
        ["compare", "1", "2"],
        ["init", "nowhere"],
        ["schedule", "list"],
        ["schedule", "history"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments, tmp_path):
    settings = ["--set", f"runners.local.root={tmp_path}"] if arguments[0] not in ("--help", "init") else []
    program = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, *settings], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("heavy: []\n"), done.stdout


def test_the_shell_completes_commands():
    effnet = Path(sys.executable).with_name("effnet")
    environment = {**os.environ, "_EFFNET_COMPLETE": "complete_bash", "COMP_WORDS": "effnet r", "COMP_CWORD": "1"}
    done = subprocess.run([effnet], capture_output=True, text=True, env=environment)
    assert {"run", "runs", "report", "rollback"} <= set(done.stdout.split())


def test_a_mistyped_path_is_told_at_once(tmp_path):
    program = "import sys; from pipeline.cli import main\ntry: main()\nfinally: print('tfx' in sys.modules)"
    settings = [f"data.path={tmp_path / 'fotos'}", f"runners.local.root={tmp_path}"]
    arguments = ["run", "--quick-start", "--set", settings[0], "--set", settings[1]]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (2, "False")
    assert done.stderr.startswith(f"error: data.path: there is nothing at {tmp_path / 'fotos'}")
