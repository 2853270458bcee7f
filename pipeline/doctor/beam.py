"""`effnet doctor --beam`: does the engine that `runners.beam` names run an element and read an image?"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from components.common import files, s3
from components.common.errors import one_line
from components.image_example_gen.sources.spans import PLACEHOLDER
from pipeline.config.beam import complete
from pipeline.config.model import PipelineConfig
from pipeline.config.secrets import hide_secrets
from pipeline.doctor.checks import Finding
from pipeline.execution.beam_engine import cause_of, look_at

SECONDS = 30
LONGEST = 300  # of a verdict, characters


def examine_engine(config: PipelineConfig, seconds: float = SECONDS) -> Iterator[Finding]:
    """Yields a verdict on what the engine needs here, and on its workers, in so many seconds at most."""
    options = complete(config.runners.beam)
    looks = list(look_at(options))
    for look in looks:
        yield Finding(f"Beam: {look.subject}", not look.problem, look.problem or look.found)
    if any(look.problem for look in looks):
        return
    try:
        path = first_file(config.data.path)
    except OSError as error:
        yield Finding("Beam: images", False, one_line(error))
        return
    started = time.monotonic()
    problem = _try_out(path, options, seconds)
    took = time.monotonic() - started
    read = f"one element, and read {path}" if path else "one element; no image is there to read yet"
    yield Finding("Beam: workers", not problem, problem or f"ran {read}, in {took:.0f} s")


def first_file(images: str) -> str:
    """Returns any file that data.path leads to, "" if there is none.

    Raises:
        OSError: if the storage cannot be listed.
    """
    place = images.partition(PLACEHOLDER)[0].rpartition("/")[0] if PLACEHOLDER in images else images
    if place.startswith(s3.SCHEME):
        return s3.first_below(place)
    if files.is_remote(place):
        return next((files.join(place, name) for name in files.walk(place)), "")
    if Path(place).is_file():
        return place
    return next((str(Path(parent, name)) for parent, _, names in os.walk(place) for name in names), "")


def _try_out(path: str, options: list[str], seconds: float) -> str:
    """Returns what is wrong, "" for nothing."""
    command = [sys.executable, "-P", "-m", "pipeline.doctor.beam_probe", path, *options]
    with tempfile.TemporaryFile("w+") as output:
        # A session of its own: a job server that Beam started ends with it.
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
        output.seek(0)
        lines = [line for line in output.read().splitlines() if line.strip()]
    if status == 0:
        return ""
    said = hide_secrets(lines[-1]) if lines else "it said nothing"
    if status is None:
        return (
            f"no answer in {seconds:.0f} s: look whether its workers run, and whether they reach this machine "
            f"(last line: {said[:LONGEST]})"
        )
    return cause_of(said)[:LONGEST]


def _end(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
