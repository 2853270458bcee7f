"""`effnet doctor`: what is amiss is a line with what to do, whatever else is amiss."""

import importlib.metadata
import json
import sys

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.doctor import checks, stack


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch):
    """As where it is not installed, or its libraries do not load; that is also ten seconds less."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)


def examined(*options: str) -> tuple[int, dict[str, tuple[bool | None, str]]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *options])
    verdicts = json.loads(done.stdout)
    return done.exit_code, {verdict["subject"]: (verdict["ok"], verdict["finding"]) for verdict in verdicts}


def test_it_names_the_stack_and_why_and_all_that_is_well():
    _, verdicts = examined()
    python = sys.version_info[:2]
    ok, finding = verdicts["stack"]
    assert ok
    assert finding == f"{stack.stack_of(python)}: {stack.explain_choice(python, stack.glibc_version())}"
    assert ("newer stack" in verdicts) == (stack.stack_of(python) is stack.OLDER)
    assert all(verdicts[subject][0] for subject in ("Python", "C library", "disk", "write access", *checks.PACKAGES))


def test_a_tensorflow_that_cannot_be_imported_is_a_finding_among_the_others():
    status, verdicts = examined()
    ok, finding = verdicts["GPU"]
    assert (status, ok) == (1, False)
    assert "TensorFlow cannot be imported" in finding and "make setup" in finding
    assert "write access" in verdicts


def test_a_wheel_that_this_glibc_cannot_load_is_a_sentence_with_what_to_do(monkeypatch):
    monkeypatch.setattr(checks, "glibc_version", lambda: (2, 36))
    monkeypatch.setattr(checks, "find_obstacle", lambda _, glibc, machine: stack.find_obstacle((3, 13), glibc, machine))
    monkeypatch.setattr(stack.platform, "machine", lambda: stack.MACHINE)
    status, verdicts = examined()
    assert status == 1
    assert verdicts["stack"][0] is False
    assert "needs glibc 2.39" in verdicts["stack"][1] and "make setup PYTHON=3.11" in verdicts["stack"][1]


def test_a_package_that_is_missing_is_named(monkeypatch):
    found = importlib.metadata.version

    def version(package):
        if package == "keras-tuner":
            raise importlib.metadata.PackageNotFoundError(package)
        return found(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert examined()[1]["keras-tuner"] == (False, "not installed: run `make setup`")


@pytest.mark.parametrize(
    ("path", "ok", "said"),
    [
        ("nowhere/photos", False, "data.path: there is nothing at"),
        ("s3://bucket/photos", None, "s3://bucket/photos (remote; checked by a run)"),
        (".", True, ""),
    ],
)
def test_images_are_amiss_only_where_it_can_be_seen(path, ok, said):
    verdict = examined("--set", f"data.path={path}")[1]["images"]
    assert verdict[0] is ok
    assert said in verdict[1]


def test_spans_that_are_there_are_told(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / str(number)).mkdir()
    path = f"data.path={tmp_path}/{{SPAN}}"
    _, verdicts = examined("--set", path, "--set", "data.span.window=2")
    assert verdicts["images"] == (True, f"{tmp_path}/{{SPAN}}: 2, 3")
    status, verdicts = examined("--set", path, "--set", "data.span.last=today")
    assert (status, verdicts["images"][0]) == (1, False)
    assert "there are 1, 2, 3" in verdicts["images"][1]
