"""A rollback that is killed or loses power at any of its calls serves the old or the new version, whole."""

import pytest

from tests.faults.disk import disk_on
from tests.faults.project import moments, wait_for

pytestmark = pytest.mark.command

KILLED, CUT = (4, 8), (2, 5)  # moments: in every test run, and in all of them


def check(project) -> None:
    project.check_readable(("models",))
    before, after = project.models(), None
    if len(before) == 2:
        done = project.effnet("rollback")
        assert done.returncode == 0, done.stdout
        after = project.models()
    served = (after or before)[0]
    assert served["record"]["accuracy"] == 0.9, "the older model is served in the end"
    assert not [path for path in project.served.iterdir() if path.name.startswith(".incoming")]


@pytest.mark.parametrize("number", [KILLED[0], pytest.param(KILLED[1], marks=pytest.mark.slow)])
def test_it_is_killed(untrained, number):
    untrained.restore()
    calls = untrained.count_calls("rollback")
    assert calls > 20
    for at in moments(calls, number):
        untrained.restore()
        assert untrained.effnet("rollback", at=at).returncode == -9
        check(untrained)


@pytest.mark.parametrize("number", [CUT[0], pytest.param(CUT[1], marks=pytest.mark.slow)])
def test_the_power_fails(untrained, tmp_path, number):
    untrained.restore()
    calls = untrained.count_calls("rollback")
    for at in moments(calls, number):
        with disk_on(untrained.folder, tmp_path / "disk.ext4", megabytes=32) as disk:
            untrained.restore()
            disk.sync()
            process = untrained.start("rollback", at=at, how="stop")
            wait_for(untrained.notes / "cut", process)
            disk.lose_power(process)
            check(untrained)


@pytest.mark.slow
def test_the_power_fails_after_it(untrained, tmp_path):
    with disk_on(untrained.folder, tmp_path / "disk.ext4", megabytes=32) as disk:
        untrained.restore()
        disk.sync()
        assert untrained.effnet("rollback").returncode == 0
        disk.lose_power()
        assert untrained.models()[0]["record"]["accuracy"] == 0.9
