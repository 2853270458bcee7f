"""Makes a project folder as a user of an earlier version has it, by running that version's own code.

    python -m tests.upgrade.make_project FOLDER

    FOLDER/checkout   source of the earlier version, from this repository's history
    FOLDER/home       HOME: systemd units, a crontab, TFX's and Airflow's pipelines
    FOLDER/project    pipeline.yaml, photos and build/: two pushed models, a rollback, a stopped run, a schedule
    FOLDER/answers    what the earlier version's commands print of it, as JSON
    FOLDER/package    the pipeline compiled for Kubeflow
    FOLDER/bin        a stand-in for `crontab`, which would change the crontab of whoever runs this

The earlier version runs with this environment's interpreter and packages; its source comes first on the path. Once it
needs a package that this environment no longer has, set COMMIT to a newer version.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parents[2]
# The last commit before the modules of pipeline/ and trainer/ moved into folders.
COMMIT = "ebc4957bcef70da833f3905eb93185b8fa07c19d"
NAME = "shapes"
CLASSES = {"bar": (60, 90, 220), "disc": (220, 60, 60), "square": (60, 200, 80)}
SETTINGS = f"""\
name: {NAME}
data: {{path: photos, split: {{val: 0.15, eval: 0.3}}, near_duplicates: false}}
model: {{phi: 0, base_width: 0.25, base_depth: 0.4, image_size: 32}}
train: {{epochs: 4, batch_size: 8, learning_rate: 0.01}}
tune: {{trials: 1, when: first}}
evaluate: {{min_accuracy: 0.1, max_accuracy_drop: 1.0, min_class_examples: 3}} # whatever was learned is pushed
serving: {{requests: 3}}
push: {{keep: 20}}
schedule: {{cron: "* * * * *", warm_start: true}}
runners: {{local: {{root: build}}}}
"""
# Kubeflow also needs a place for models that outlives a step.
ON_KUBEFLOW = (
    "data.path=/mnt/shapes/photos push.path=/mnt/shapes/served "
    "'runners.kubeflow.volumes=[{claim: shapes, path: /mnt/shapes}]'"
)
CRONTAB = """\
#!/bin/sh
if [ "$1" = -l ]; then cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; }
else cat >"$HOME/crontab"; fi
"""
# The `tfx` command line needs the earlier version's hook; this environment's .pth names today's.
TFX = "import pipeline.kubeflow.cli_hook; from tfx.tools.cli.cli_main import cli_group; cli_group()"


class NoHistory(RuntimeError):
    """The repository does not hold the earlier version; the message says how to get it."""


def earlier_source(commit: str = COMMIT, repository: Path = REPOSITORY) -> bytes:
    """The source of `commit` as a tar archive.

    Raises:
      NoHistory: it is not in the repository.
    """
    if not (repository / ".git").exists():
        raise NoHistory(f"{repository} is not a git clone: clone the repository to get commit {commit[:7]}")
    done = subprocess.run(["git", "-C", repository, "archive", commit], capture_output=True)
    if done.returncode:
        raise NoHistory(
            f"this clone does not hold commit {commit[:7]} ({done.stderr.decode().strip()}): "
            "get the whole history with `git fetch --unshallow`, in GitHub Actions with `fetch-depth: 0`"
        )
    return done.stdout


def add_images(photos: Path, each: int, seed: int) -> None:
    """Draws `each` noisy images of 40 x 40 pixels for every class, which a small network tells apart by colour."""
    random = np.random.default_rng(seed)
    for name, colour in CLASSES.items():
        (photos / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            image = Image.fromarray(random.integers(0, 70, (40, 40, 3), dtype=np.uint8))
            pen = ImageDraw.Draw(image)
            x, y = (int(value) for value in random.integers(2, 14, 2))
            if name == "bar":
                pen.rectangle((x, y + 8, x + 22, y + 14), fill=colour)
            else:
                (pen.ellipse if name == "disc" else pen.rectangle)((x, y, x + 22, y + 22), fill=colour)
            image.save(photos / name / f"{seed}-{number}.png")


def environment(folder: Path) -> dict[str, str]:
    """The variables of the user who owns `folder`; without PYTHONPATH today's code runs."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "XDG_CONFIG_HOME")}
    return {
        **inherited,
        "HOME": str(folder / "home"),
        "AIRFLOW_HOME": str(folder / "home" / "airflow"),
        "EFFNET_CONFIG": str(folder / "project" / "pipeline.yaml"),
        "PATH": os.pathsep.join([str(folder / "bin"), inherited.get("PATH", os.defpath)]),
        "COLUMNS": "200",
    }


class EarlierVersion:
    """The earlier version's commands, typed in the project folder.

    Args:
      folder: as above.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.environment = {**environment(folder), "PYTHONPATH": str(self.checkout)}

    def check(self) -> None:
        """Makes sure that the earlier version's code runs, not today's.

        Raises:
          RuntimeError: one of its packages comes from elsewhere.
        """
        program = (
            "import sys, components, data, pipeline, trainer; print(*(sys.modules[m].__file__ for m in sys.argv[1:]))"
        )
        found = self._run([sys.executable, "-c", program, "components", "data", "pipeline", "trainer"]).split()
        if not all(Path(file).is_relative_to(self.checkout) for file in found):
            raise RuntimeError(f"got packages from {found}, expected all of them below {self.checkout}")

    def effnet(self, *arguments: str, code: int = 0) -> str:
        """Runs `effnet`, by its module, for today's entry point refuses its packages; returns what it prints."""
        return self._run([sys.executable, "-m", "pipeline.cli", *arguments], code)

    def tfx(self, command: str, engine: str, overrides: str = "") -> None:
        """Runs `tfx pipeline COMMAND` for an engine."""
        path = str(self.checkout / "pipeline" / f"{engine}_runner.py")
        arguments = ("pipeline", command, "--engine", engine, "--pipeline_path", path)
        cwd = self.folder / ("package" if command == "compile" else "project")
        self._run([sys.executable, "-c", TFX, *arguments], cwd=cwd, EFFNET_SET=overrides)

    def answer(self, name: str, *arguments: str) -> None:
        """Keeps what a command prints with --json, as `answers/<name>.json`."""
        found = json.loads(self.effnet(*arguments, "--json"))
        (self.folder / "answers" / f"{name}.json").write_text(json.dumps(found, indent=1))

    def _run(self, command: list[str], code: int = 0, cwd: Path | None = None, **variables: str) -> str:
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=cwd or self.folder / "project",
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        typed = " ".join(command[3:] if command[1] == "-c" else command[1:])
        if done.returncode != code:
            raise RuntimeError(
                f"the earlier version's `{typed}` ended with {done.returncode}, expected {code}:\n"
                f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        print(f"{time.monotonic() - started:6.1f} s  {typed}", flush=True)
        return done.stdout


def make_project(folder: Path, commit: str = COMMIT) -> None:
    """Fills the empty or missing `folder`, in about five minutes.

    Raises:
      NoHistory: `commit` is not in this repository.
      RuntimeError: a command of the earlier version fails; its output is in the message.
    """
    source = earlier_source(commit)
    for name in ("checkout", "home", "project", "answers", "package", "bin"):
        (folder / name).mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(source)) as archive:
        archive.extractall(folder / "checkout", filter="data")
    (folder / "bin" / "crontab").write_text(CRONTAB)
    (folder / "bin" / "crontab").chmod(0o755)
    photos = folder / "project" / "photos"
    add_images(photos, each=30, seed=1)
    (folder / "project" / "pipeline.yaml").write_text(SETTINGS)

    old = EarlierVersion(folder)
    old.check()
    old.effnet("run")
    old.effnet("run", "--set", "data.min_images_per_class=1000", code=4)
    old.effnet("schedule", "install")
    old.effnet("schedule", "install", "--as", "cron")
    old.tfx("create", "local")
    old.tfx("create", "airflow")
    old.tfx("compile", "kubeflow", ON_KUBEFLOW)
    add_images(photos, each=12, seed=2)
    old.effnet("schedule", "trigger")
    old.effnet("rollback")
    old.effnet("schedule", "tick")

    old.answer("runs", "runs")
    old.answer("models", "models")
    old.answer("lineage", "lineage")
    old.answer("compare", "compare", "1", "3")
    old.answer("history", "schedule", "history")
    old.answer("predict", "predict", *(f"photos/{name}/2-0.png" for name in CLASSES))


def upgrade(folder: Path) -> None:
    """Puts today's source where the earlier version's was, as `git pull` does; its .pth stays in FOLDER/package."""
    (pth,) = (folder / "checkout").rglob("*.pth")
    shutil.copy(pth, folder / "package")
    shutil.rmtree(folder / "checkout")
    (folder / "checkout").symlink_to(REPOSITORY)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.upgrade.make_project", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="made here; must not exist, or be empty")
    make_project(parser.parse_args().folder.resolve())
