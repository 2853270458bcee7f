"""The report in a real browser, where Chromium is installed: nothing is fetched, nothing runs, nothing is amiss."""

import json
import re
import subprocess

import pytest

from components.run_report.render import render
from tests.browser import CHROMIUM, needs_chromium
from tests.components.run_report.test_run_report import NAMES, SECTIONS, full_report

pytestmark = needs_chromium
OFFLINE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--headless",
    "--no-first-run",
    "--no-sandbox",
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> tuple[str, str, list[str]]:
    """The document as the browser holds it, its console, and the addresses that were asked for."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(render(full_report()), encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM), *OFFLINE, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}",
            "--enable-logging=stderr", "--dump-dom", f"file://{folder / 'report.html'}",
        ],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    events = (folder / "net.json").read_text(encoding="utf-8", errors="replace")
    return done.stdout, console, re.findall(r'"url":("(?:https?|ftp|wss?):[^"]*")', events)


def test_the_browser_has_nothing_to_complain_of(opened):
    assert opened[1] == ""


def test_the_page_asks_for_nothing(opened):
    # The browser's own services, if any ask, are not the page's.
    assert [url for url in map(json.loads, opened[2]) if "google" not in url] == []


def test_the_browser_sees_every_section_and_no_script(opened):
    document = opened[0]
    assert tuple(re.findall(r'<section id="(\w+)">', document)) == SECTIONS
    assert "<script" not in document
    assert document.count(NAMES[1]) > 5
