"""What `make audit` makes of pip-audit's answers; stand-ins for pip-audit, whose service not every machine reaches."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.config.load import DEFAULT_PATH

PROJECT = DEFAULT_PATH.parent
SOUND = "echo 'No known vulnerabilities found'"
VULNERABLE = "printf 'Found 1 known vulnerability in 1 package\\nName Version ID\\npillow 1.0 CVE-1\\n'; exit 1"
NO_SERVICE = "echo 'ERROR:pip_audit._cli:absl-py: Dependency not found on PyPI' >&2; exit 1"


def audit(folder: Path, pip_audit: str) -> tuple[int, str, str, list[str]]:
    """Exit status, output, errors, and the options that each call of pip-audit had."""
    uv, options = folder / "uv", folder / "options"
    uv.write_text(f'#!/bin/sh\n[ $1 = pip ] && exec echo a==1\necho "$@" >>{options}\n{pip_audit}\n')
    uv.chmod(0o755)
    done = subprocess.run(["sh", PROJECT / "tests/stacks/audit.sh", uv], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr, options.read_text().splitlines()


def test_a_sound_lock_passes_for_both_stacks_with_what_is_explained_left_out(tmp_path):
    status, said, errors, calls = audit(tmp_path, SOUND)
    assert (status, errors, len(calls)) == (0, "", 2)
    assert re.findall(r"^Python (\S+): 1 packages, no vulnerability known", said, re.M) == ["3.11", "3.13"]
    explained = re.findall(r"^([A-Z]\S+) .+", (PROJECT / "tests/stacks/unfixable.txt").read_text(), re.M)
    assert explained
    for call in calls:
        assert "--strict" in call
        assert re.findall(r"--ignore-vuln (\S+)", call) == explained


def test_a_vulnerability_is_shown_and_fails_after_both_stacks_were_looked_at(tmp_path):
    status, said, errors, calls = audit(tmp_path, VULNERABLE)
    assert (status, len(calls)) == (1, 2)
    assert said.count("pillow 1.0 CVE-1") == 2
    assert "no vulnerability known" not in said
    assert "make lock UPGRADE=1" in errors


@pytest.mark.parametrize("pip_audit", [NO_SERVICE, "exit 2"])
def test_an_answer_that_cannot_be_had_is_one_line_and_no_clean_bill(tmp_path, pip_audit):
    status, said, errors, calls = audit(tmp_path, pip_audit)
    assert (status, said, len(calls)) == (1, "", 1)
    assert errors.startswith("error: nothing was audited") and errors.count("\n") == 1
