"""What holds for every test."""

import pytest

from tests import not_run, workers


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(not_run, "not_run")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(workers, "workers")
