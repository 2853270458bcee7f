"""A test that cannot run says so by name at the end, and counts as failed in CI unless no package could change that."""

import os
import re
from collections.abc import Iterator

import pytest

# How reasons begin that name what a machine may truly lack. What a package brings is none of them: CI installs it.
NOT_TO_BE_HAD = (
    r"root may read everything",
    r"needs root\b",
    r"needs the right to (mount|become another user|name a machine)",  # containers, and kernels without loop devices
    r"needs a GPU",
    r"needs a Kubeflow Pipelines",  # tests/kubeflow/live
    r"needs Go\b",  # no Debian has one that is new enough
    r"(TensorFlow's strategies|takes gradients with TensorFlow|looks into TensorFlow's graph|a TensorFlow strategy)$",
)
IN_CI = "it cannot run here, which fails in CI (tests/not_run.py): "


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def may_be_missing(reason: str) -> bool:
    """Whether a test may be skipped for this reason in CI, too."""
    return any(re.match(pattern, reason) for pattern in NOT_TO_BE_HAD)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    told = report.longrepr
    return (told[2] if isinstance(told, tuple | list) else str(told)).removeprefix("Skipped: ")


def _judged(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and in_ci() and not hasattr(report, "wasxfail") and not may_be_missing(reason_of(report)):
        report.longrepr = IN_CI + reason_of(report)
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    _judged(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    _judged(report)  # a whole module that skips itself
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if not hasattr(each, "wasxfail")]
    if skipped:
        terminalreporter.section("could not run here")
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {reason_of(report)}")
