"""What holds for every test."""

import hypothesis
import pytest

from tests import not_run, workers

# A busy machine is no failure. With CI set, Hypothesis takes a profile of its own: no deadline, repeatable examples.
hypothesis.settings.register_profile("any machine", deadline=None)
if not not_run.in_ci():
    hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(not_run, "not_run")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(workers, "workers")
