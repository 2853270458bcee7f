"""How pytest-xdist shares the tests out: a file stays together, and so do files that share a pipeline run."""

from pathlib import PurePosixPath
from typing import Any

import pytest

# Their files share fixtures that cost minutes.
TOGETHER = ("tests/e2e", "tests/faults", "tests/upgrade")
# After those, the longest first, or the last one of them would run alone at the end.
LONGEST_FIRST = ("slow", "tfx", "network", "command")


def unit_of(nodeid: str) -> str:
    """The part of the tests that one worker runs, in the order of the files."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if PurePosixPath(file).is_relative_to(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByUnit(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False  # by the number of tests, of which the longest have the fewest
    return ByUnit(config, log)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Those of one unit one after the other, units with long tests first."""
    ranks = dict.fromkeys(TOGETHER, -1)
    for item in items:
        unit = unit_of(item.nodeid)
        rank = next((n for n, mark in enumerate(LONGEST_FIRST) if item.get_closest_marker(mark)), len(LONGEST_FIRST))
        ranks[unit] = min(rank, ranks.get(unit, rank))
    first_seen = {unit: number for number, unit in enumerate(ranks)}
    return sorted(items, key=lambda item: (ranks[unit_of(item.nodeid)], first_seen[unit_of(item.nodeid)]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = in_order(items)
