"""What lies in the wheel is enough to run from it."""

import os
import subprocess
import sys
import zipfile

from pipeline.config.model import DEFAULT_PATH


def test_the_shipped_settings_are_read_from_an_installed_wheel(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=DEFAULT_PATH.parent, check=True, capture_output=True)
    installed = tmp_path / "site-packages"
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    done = subprocess.run(
        [sys.executable, "-c", "import pipeline.config.model as it; print(it.DEFAULT_PATH, it.load_config().name)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(installed / "pipeline.yaml"), "quickstart"]
