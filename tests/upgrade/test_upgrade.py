"""A project folder of an earlier version works with today's code: nothing is lost, and what was installed still runs.

The tests share one folder and change it, so they run in this order, all of them: make the folder, look at it, run,
tick, roll back, clean.
"""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.upgrade.make_project import CLASSES, NAME, NoHistory, add_images, environment, make_project, upgrade

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

BIN = Path(sys.executable).parent
SCHEDULE = "schedule", "history", "--last", "100"
STEP = re.compile(r"^\[ ?\d+/(\d+)\] (\w+) +(?:from cache|\d+ s)$", re.MULTILINE)
# Loads what a package compiled for Kubeflow names: modules, and members of modules.
LOAD = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, member = name.rpartition(".")
        getattr(importlib.import_module(module), member)
"""


@dataclass
class Upgraded:
    """The folder of `make_project`, with today's code in the place of the earlier one's."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def before(self, name: str) -> Any:
        """What the earlier version said."""
        return json.loads((self.folder / "answers" / f"{name}.json").read_text())

    def effnet(self, *arguments: str) -> str:
        return self.run(str(BIN / "effnet"), *arguments)

    def now(self, *arguments: str) -> Any:
        """What today's version says."""
        return json.loads(self.effnet(*arguments, "--json"))

    def served(self) -> str:
        return self.now("models")[0]["version"]

    def run(self, *command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            command, cwd=cwd or self.project, env=env or environment(self.folder), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory) -> Upgraded:
    folder = tmp_path_factory.mktemp("upgraded")
    try:
        make_project(folder)
    except NoHistory as missing:
        pytest.skip(str(missing))  # a user with a source archive cannot
    upgrade(folder)
    return Upgraded(folder)


def holds(now: Any, before: Any) -> bool:
    """Whether all of `before` is in `now`, which may have more keys and more rows."""
    if isinstance(before, dict):
        return all(key in now and holds(now[key], value) for key, value in before.items())
    if isinstance(before, list):
        return all(any(holds(row, wanted) for row in now) for wanted in before)
    return now == pytest.approx(before) if isinstance(before, float) else now == before


def without(rows: list[dict], key: str) -> list[dict]:
    return [{name: value for name, value in row.items() if name != key} for row in rows]


@pytest.mark.parametrize(
    ("name", "command"),
    [("models", ["models"]), ("lineage", ["lineage"]), ("history", SCHEDULE)],
)
def test_what_was_listed_still_is(upgraded, name, command):
    assert holds(upgraded.now(*command), upgraded.before(name))


def test_every_run_is_still_listed_and_compared(upgraded):
    # The wording of reasons and of differences may change; the values may not.
    assert holds(upgraded.now("runs"), without(upgraded.before("runs"), "why"))
    assert [run["result"] for run in upgraded.now("runs")] == ["pushed", "stopped", "pushed"]
    assert holds(upgraded.now("compare", "1", "3"), without(upgraded.before("compare"), "name"))


def test_the_served_model_answers_as_it_did(upgraded):
    paths = [answer["path"] for answer in upgraded.before("predict")]
    assert holds(upgraded.now("predict", *paths), upgraded.before("predict"))


def test_reports_are_found_and_a_lost_one_is_made_again(upgraded):
    for run in upgraded.before("runs"):
        assert upgraded.effnet("report", str(run["run"])).strip() == run["report"]
    first, *_ = upgraded.before("runs")
    report = Path(first["report"])
    aside = report.rename(report.with_name("aside"))
    try:
        again = Path(upgraded.effnet("report", "1").strip())
        assert again != report and all(name in again.read_text() for name in CLASSES)
    finally:
        aside.rename(report)


def test_the_schedule_is_as_it_was_left(upgraded):
    state = upgraded.now("schedule", "list")
    assert (state["name"], state["cron"], state["paused"]) == (NAME, "* * * * *", None)
    assert state["next"] and holds(state["last"], upgraded.before("history")[-1])
    assert upgraded.effnet("schedule", "history")


def test_a_run_makes_anew_what_it_cannot_reuse_and_is_held_against_the_old_model(upgraded):
    before, searches = upgraded.now("models"), upgraded.project / "build" / NAME / "tuning" / "history.json"
    searched = json.loads(searches.read_text())
    shown = upgraded.effnet("run")
    steps = STEP.findall(shown)
    assert len(steps) == int(steps[0][0]), shown  # each of them says that it ran, or was taken from the cache
    assert f"served version {before[0]['version']} " in shown
    assert [run["result"] for run in upgraded.now("runs")] == ["pushed", "stopped", "pushed", "pushed"]
    assert holds(upgraded.now("models"), before)
    assert json.loads(searches.read_text())[: len(searched)] == searched


def test_tfx_runs_the_pipeline_that_was_created(upgraded):
    run = str(BIN / "tfx"), "run", "create", "--engine", "local", "--pipeline_name", NAME
    upgraded.run(*run, cwd=upgraded.home)
    # It is the very pipeline that `effnet run` has just run.
    assert upgraded.now("runs")[-1]["result"] == "unchanged"


def attempts_of(upgraded, *command: str, **options: Any) -> list[str]:
    """Runs a command that looks at the schedule; returns what came of it."""
    before = upgraded.now(*SCHEDULE)
    upgraded.run(*command, **options)
    after = upgraded.now(*SCHEDULE)
    assert holds(after, before)
    return [attempt["verdict"] for attempt in after[len(before) :]]


def test_cron_s_entry_still_works(upgraded):
    _, line, _ = (upgraded.home / "crontab").read_text().splitlines()
    command = line.split(maxsplit=5)[5].replace(r"\%", "%")
    bare = {"HOME": str(upgraded.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    assert attempts_of(upgraded, "/bin/sh", "-c", command, cwd=upgraded.home, env=bare)[-1] == "nothing new"


def test_airflow_s_task_trains_on_new_images_from_the_served_weights(upgraded):
    add_images(upgraded.project / "photos", each=6, seed=3)
    served = upgraded.served()
    settings = json.loads((upgraded.home / "airflow" / "dags" / NAME / "effnet.json").read_text())
    due = datetime.now(UTC).replace(second=0, microsecond=0).isoformat()
    tick = [*settings["effnet"], "schedule", "tick", "--at", due, *settings["options"]]
    assert attempts_of(upgraded, *tick, cwd=Path(settings["folder"]))[-1] == "pushed"
    last = upgraded.now(*SCHEDULE)[-1]
    assert (last["served_before"], last["served_after"]) == (served, upgraded.served())
    assert last["weights"].endswith(f"/served/{served}") and last["new_images"] == 6 * len(CLASSES)


def test_systemd_s_unit_still_works(upgraded):
    units = upgraded.home / ".config" / "systemd" / "user"
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(units / f"effnet-{NAME}.service")
    if shutil.which("systemd-analyze"):
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(upgraded.folder)}
        upgraded.run("systemd-analyze", "verify", "--user", *map(str, units.iterdir()), env=environment)
    command = shlex.split(unit["Service"]["ExecStart"])
    bare = {"HOME": str(upgraded.home), "PATH": "/usr/bin:/bin"}
    folder = Path(unit["Service"]["WorkingDirectory"])
    assert attempts_of(upgraded, *command, cwd=folder, env=bare)[-1] == "nothing new"


def test_kubeflow_s_package_names_nothing_that_is_gone(upgraded):
    """The package names an image by its tag, and the image that has it now may hold today's code."""
    (package,) = (upgraded.folder / "package").glob("*.yaml")
    text = package.read_text()
    spec = next(yaml.safe_load_all(text))
    containers = [one["container"] for one in spec["deploymentSpec"]["executors"].values() if "container" in one]
    entrypoints = {tuple(container["command"]) for container in containers}
    named = {container["args"][1] for container in containers}  # after --executor_class_path or --driver_class_path
    named |= set(re.findall(r"(?<![\w.])(?:trainer|pipeline|components)(?:\.[a-zA-Z_]\w*)+", text))
    assert {"trainer.train.run_fn", "components.data_gate.driver.Driver"} <= named
    upgraded.run(sys.executable, "-c", LOAD, *sorted(named), cwd=upgraded.home)
    for _, *module in entrypoints:
        assert "--executor_class_path" in upgraded.run(sys.executable, *module, "--help", cwd=upgraded.home)


def test_an_environment_that_was_not_set_up_again_starts_without_an_error(upgraded, tmp_path):
    """Python reads the earlier version's .pth at every start, so at every tick of the schedule too."""
    shutil.copy(upgraded.folder / "package" / "tfx_efficientnet.pth", tmp_path)
    command = [sys.executable, "-c", "import site, sys; site.addsitedir(sys.argv[1])", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_models_of_the_earlier_version_are_served_again(upgraded):
    served, second, first = upgraded.before("models")
    upgraded.effnet("rollback", second["version"])
    again = upgraded.now("models")[0]
    assert (again["record"]["rollback_of"], again["fingerprint"]) == (second["version"], second["fingerprint"])
    upgraded.effnet("rollback", first["version"])
    paths = [answer["path"] for answer in upgraded.before("predict")]
    assert holds(upgraded.now("predict", *paths), upgraded.before("predict"))
    assert served["record"]["rollback_of"] == first["version"]


def test_clean_keeps_what_the_pushed_models_need(upgraded):
    before = upgraded.now("models")
    deleted = upgraded.now("clean", "--keep-runs", "1", "--yes")
    assert deleted["artifacts"] and all(not Path(entry["path"]).exists() for entry in deleted["artifacts"])
    assert upgraded.now("models") == before
    assert all(Path(model["record"]["model_uri"]).is_dir() for model in before)
    first = upgraded.before("models")[-1]["version"]
    assert holds(upgraded.now("lineage", first)["steps"], upgraded.before("lineage")["steps"])
    assert len(upgraded.now("runs")) == 6
