"""Recurring runs on a cluster: they come, follow the newest version, and outlive their schedule."""

import pytest

from pipeline.kubeflow.errors import KubeflowError
from pipeline.kubeflow.schedules import ENDED, PAUSED
from pipeline.schedule.kubeflow_cron import backend_cron

pytestmark = pytest.mark.tfx

DUE = 180  # seconds in which a schedule of each minute has started a run


@pytest.fixture
def scheduled(cluster):
    """A schedule of each minute."""
    cluster.upload()
    yield cluster.kubeflow.schedule(cluster.name, backend_cron("* * * * *", "UTC")).recurring_run_id
    for run in cluster.kubeflow.runs(cluster.name):
        if run.recurring_run_id and run.state not in ENDED:
            cluster.kubeflow.terminate(run.run_id)
            cluster.end_of(run.run_id)
    cluster.kubeflow.end_schedules(cluster.name)
    assert cluster.kubeflow.schedules(cluster.name) == []


def runs_of(cluster, schedule: str) -> list:
    return [run for run in cluster.kubeflow.runs(cluster.name) if run.recurring_run_id == schedule]


def test_a_schedule_starts_runs_and_ends_without_ending_them(cluster, scheduled):
    seconds = cluster.wait_for(lambda: runs_of(cluster, scheduled), "its first run", DUE)
    print(f"the first run came after {seconds:.0f} s")
    cluster.upload("seed=21")  # `tfx pipeline update` while it is under way
    (run,) = runs_of(cluster, scheduled)[-1:]
    deleted, under_way = cluster.kubeflow.end_schedules(cluster.name)
    print(f"deleted {deleted}, under way {under_way}")
    assert (deleted, list(under_way)) == (0, [scheduled])
    assert [one.status for one in cluster.kubeflow.schedules(cluster.name)] == [PAUSED]
    with pytest.raises(KubeflowError, match=r"is not deleted: its schedule is paused"):
        cluster.kubeflow.delete(cluster.name)
    result = cluster.end_of(run.run_id)
    assert result.state in ("SUCCEEDED", "REFUSED")
    assert cluster.kubeflow.end_schedules(cluster.name) == (1, {})


def test_a_schedule_follows_the_newest_version(cluster, scheduled):
    cluster.upload("data.min_images_per_class=9000")  # a version that is told from the others by how it ends
    known = {run.run_id for run in runs_of(cluster, scheduled)}
    cluster.wait_for(lambda: {run.run_id for run in runs_of(cluster, scheduled)} - known, "a run of it", 1800)
    (new,) = {run.run_id for run in runs_of(cluster, scheduled)} - known
    assert cluster.end_of(new).state == "REFUSED"


def test_a_window_of_spans_moves_on_by_itself(cluster):
    copy = f"""
        import pathlib, shutil, zlib
        home = pathlib.Path("{cluster.home}")
        days = home / "days"
        day = len(list(days.glob("*"))) + 1
        for path in (home / "digits").rglob("*.png"):
            if zlib.crc32(path.name.encode()) % 4 == day % 4:
                target = days / str(day) / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        print(day)
    """
    assert cluster.ask(copy).strip() == "1"
    window = (f"data.path={cluster.home}/days/{{SPAN}}", f"push.path={cluster.home}/served-days", "data.span.window=2")
    first = cluster.run(*window)
    assert {"ImageExampleGen", "Trainer"} <= first.ran
    assert cluster.ask(copy).strip() == "2"
    second = cluster.end_of(cluster.start())
    assert {"ImageExampleGen", "Trainer"} <= second.ran
