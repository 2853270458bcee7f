"""Looks for the engine that `runners.beam` names before anything runs: a step would wait for it in silence."""

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.common.events import report_progress
from pipeline.config.beam import values_of
from pipeline.config.model import ConfigError

CONNECT_SECONDS = 3
JAVA_SECONDS = 10
WORD_SECONDS = 10  # between two words of an engine
# A worker's error comes with all its tracebacks in one text: the last exception is the cause.
_CAUSE = re.compile(r"\b(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Missing\w*)): (.+?)(?= \[while running|$)", re.S)
_JAR = re.compile(r"beam-runners-flink-(\d+\.\d+)-job-server")
# Engine -> the options that name its address, and its job server's file.
_ADDRESSES = {"FlinkRunner": "flink_master", "SparkRunner": "spark_master_url", "PortableRunner": "job_endpoint"}
_JARS = {"FlinkRunner": "flink_job_server_jar", "SparkRunner": "spark_job_server_jar"}
_WITHOUT_ADDRESS = ("embed", "[auto]", "[local]")


@dataclass(frozen=True)
class Look:
    """What was found of one thing that an engine needs; `problem` is "" where it is there."""

    subject: str
    found: str
    problem: str = ""


def check_engine(options: Sequence[str]) -> None:
    """Does nothing if the engine can be reached.

    Raises:
        ConfigError: with the first thing that is missing.
    """
    for look in look_at(options):
        if look.problem:
            raise ConfigError(f"runners.beam: {look.problem}; `effnet doctor --beam` looks at the rest")


def look_at(options: Sequence[str]) -> Iterator[Look]:
    """Yields what the engine needs on this machine and whether it answers; nothing for the engine in this process."""
    values = values_of(options)
    runner = values.get("runner", "DirectRunner")
    if runner in _JARS:
        yield _java(values.get("job_server_java_launcher", "java"))
        yield from _jar(values.get(_JARS[runner], ""), values)
    address = values.get(_ADDRESSES.get(runner, ""), "")
    if address and address not in _WITHOUT_ADDRESS:
        yield _address(_ADDRESSES[runner], address)


def _java(program: str) -> Look:
    path = shutil.which(program)
    if not path:
        return Look("Java", "", f"no {program} is on the PATH, which Beam's job server needs: install Java 11 or newer")
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Look("Java", path, f"{path} does not start ({error}): install Java 11 or newer")
    first = (done.stderr or done.stdout).partition("\n")[0]
    if done.returncode:
        return Look("Java", path, f"{path} does not start ({first}): install Java 11 or newer")
    return Look("Java", f"{path}: {first}")


def _jar(jar: str, values: Mapping[str, str]) -> Iterator[Look]:
    if not jar:
        return
    if "://" not in jar and not Path(jar).is_file():
        yield Look("job server", jar, f"there is no job server at {jar}: correct `jar`, or leave it out to download it")
        return
    wanted, named = values.get("flink_version"), _JAR.search(jar)
    if wanted and named and named[1] != wanted:
        yield Look(
            "job server", jar, f"{jar} is for Flink {named[1]}, and --flink_version is {wanted}: take the one for it"
        )
        return
    yield Look("job server", jar)


def _address(name: str, address: str) -> Look:
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
        if not host or not port:
            raise ValueError("expected HOST:PORT")
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return Look("address", f"{address} answers")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Look("address", address, f"--{name}={address} does not answer ({reason}): start it, or correct it")


def cause_of(text: str) -> str:
    """Returns what a worker's error says in the end, without the tracebacks on the way; other texts as they are."""
    if "Traceback (most recent call last)" not in text:
        return text
    last = text.rpartition("Traceback (most recent call last)")[2]
    found = _CAUSE.search(last)
    return found[2].strip() if found else text


@contextlib.contextmanager
def heard_of(options: Sequence[str]) -> Iterator[None]:
    """Reports every ten seconds that an engine elsewhere is at work: it tells this process nothing until it ends."""
    runner = values_of(options).get("runner", "DirectRunner")
    if runner not in _ADDRESSES and runner != "DataflowRunner":
        yield
        return
    ended, started = threading.Event(), time.monotonic()

    def report() -> None:
        while not ended.wait(WORD_SECONDS):
            report_progress(f"{runner} is at work, {time.monotonic() - started:.0f} s so far")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
