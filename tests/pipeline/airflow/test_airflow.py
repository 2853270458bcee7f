"""The schedule on a real Airflow: the DAG loads quickly, and Airflow's scheduler brings a run to its end on SQLite."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.user_project import BIN, PROJECT, run_command
from tests.pipeline.schedule.days import CONFIG, Days

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.tfx]

RUNNER = PROJECT / "pipeline" / "airflow_runner.py"
MOST_SECONDS_TO_IMPORT = 10
# A class whose name Airflow's templates must not touch.
BRACES = "data.classes=['{{ 7 * 7 }}', 'b']"
LOAD = """
import sys, time
from datetime import UTC, datetime
from types import SimpleNamespace
started = time.monotonic()
sys.path.insert(0, sys.argv[1])
import airflow_runner
dag = airflow_runner.dag
print(time.monotonic() - started, dag.dag_id, dag.max_active_runs, dag.catchup, list(dag.task_ids))
assert "tensorflow" not in sys.modules and "tfx" not in sys.modules
from jinja2 import Template
run = SimpleNamespace(run_type="scheduled", run_after=datetime(2026, 3, 5, 2, tzinfo=UTC))
print(Template(dag.get_task("retrain").bash_command).render(dag_run=run))
"""


@pytest.fixture
def home(tmp_path, airflow_bin, monkeypatch) -> Path:
    """AIRFLOW_HOME, its `airflow` first on the PATH, and whatever TFX's command line has to know."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "PATH": os.pathsep.join([str(airflow_bin), os.environ["PATH"]]),
        "EFFNET_CONFIG": str(tmp_path / "pipeline.yaml"),
        "ALERT_URL": "json://127.0.0.1:9",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    return tmp_path / "airflow"


def tfx(folder: Path, *arguments: str, code: int = 0) -> str:
    done = run_command([str(BIN / "tfx"), *arguments, "--engine", "airflow"], cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_create_update_and_delete_a_dag_that_loads_in_seconds(home, tmp_path, airflow_bin, monkeypatch):
    monkeypatch.setenv("EFFNET_SET", shlex.quote(BRACES))
    path = ("--pipeline_path", str(RUNNER))
    assert 'Pipeline "digits" created successfully' in tfx(tmp_path, "pipeline", "create", *path)
    assert "there is a DAG digits" in tfx(tmp_path, "pipeline", "create", *path, code=1)
    assert "digits" in tfx(tmp_path, "pipeline", "list")

    dags = home / "dags" / "digits"
    created = json.loads((dags / "effnet.json").read_text())
    loaded = subprocess.run([airflow_bin / "python", "-c", LOAD, dags], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    *_, facts, command = loaded.stdout.splitlines()
    seconds, *facts = facts.split(maxsplit=4)
    assert float(seconds) < MOST_SECONDS_TO_IMPORT
    assert facts == ["digits", "1", "False", "['retrain']"]
    tick = ["schedule", "tick", "--at", "2026-03-05T02:00:00+00:00", "--config", str(tmp_path / "pipeline.yaml")]
    assert shlex.split(command)[-len(tick) - 2 :] == [*tick, "--set", BRACES]

    (tmp_path / "pipeline.yaml").write_text(CONFIG.replace("window: 2", "window: 2\n  catch_up: all"))
    assert "updated successfully" in tfx(tmp_path, "pipeline", "update", *path)
    updated = json.loads((dags / "effnet.json").read_text())
    assert (updated["catch_up"], updated["since"]) == ("all", created["since"])
    assert "deleted successfully" in tfx(tmp_path, "pipeline", "delete", "--pipeline_name", "digits")
    assert "there is no DAG digits" in tfx(tmp_path, "pipeline", "delete", "--pipeline_name", "digits", code=1)


def test_airflow_s_scheduler_trains_and_pushes(home, tmp_path, airflow_bin):
    days = Days(tmp_path, None)
    (tmp_path / "pipeline.yaml").write_text(CONFIG.replace('"0 2 * * *"', '"* * * * *"'))
    days.bring(1, batch=0)
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    # The night may fall in between.
    for day in (today, today + timedelta(days=1)):
        (tmp_path / "photos" / str(day)).symlink_to(days.images_of(1))
    tfx(tmp_path, "pipeline", "create", "--pipeline_path", str(RUNNER))

    log = (tmp_path / "standalone.log").open("wb")
    standalone = subprocess.Popen(
        [airflow_bin / "airflow", "standalone"],
        cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 900
        while time.monotonic() < until and not (runs := finished(airflow_bin)):
            assert standalone.poll() is None, (tmp_path / "standalone.log").read_text()
            time.sleep(5)
    finally:
        os.killpg(standalone.pid, signal.SIGTERM)
        try:
            standalone.wait(timeout=30)
        finally:
            if standalone.poll() is None:
                os.killpg(standalone.pid, signal.SIGKILL)
        log.close()
    first = runs[0]
    assert (first["state"], first["run_id"].startswith("scheduled__")) == ("success", True)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "schedule", "history", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    attempt = json.loads(done.stdout)[0]
    assert (attempt["verdict"], attempt["kind"]) == ("pushed", "scheduled")
    assert datetime.fromisoformat(attempt["slot"]) == datetime.fromisoformat(first["run_after"])
    assert days.served() == attempt["served_after"]


def finished(airflow_bin: Path) -> list[dict]:
    """The runs of the DAG that came to their end, the oldest first; none as long as Airflow knows no such DAG."""
    done = subprocess.run(
        [airflow_bin / "airflow", "dags", "list-runs", "digits", "-o", "json"], capture_output=True, text=True
    )
    if done.returncode:
        return []
    lines = [line for line in done.stdout.splitlines() if line.startswith("[{")]
    runs = json.loads(lines[-1]) if lines else []
    return sorted((run for run in runs if run["state"] in ("success", "failed")), key=lambda run: run["run_after"])
