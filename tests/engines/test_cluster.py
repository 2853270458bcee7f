"""The Beam steps on a cluster that runs already, as tests/engines/flink.sh starts it and names it."""

import os
import shlex
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

from tests.components.beam_steps import BeamSteps

pytestmark = [pytest.mark.tfx, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster() -> tuple[Path, tuple[str, ...]]:
    """The folder that all machines share, and the options for the cluster."""
    from pipeline.config.engines import options_of
    from pipeline.execution.beam_engine import check_engine

    if "EFFNET_ENGINE" not in os.environ:
        pytest.skip("no Flink or Spark cluster is named: tests/engines/flink.sh starts one")
    shared = Path(os.environ["EFFNET_SHARED"])
    options = options_of(yaml.safe_load(os.environ["EFFNET_ENGINE"]), str(shared), os.environ["EFFNET_IMAGE"], {})
    check_engine(options)
    return shared, options


@pytest.fixture(scope="module")
def on_all_machines(cluster, images, model) -> tuple[str, Path]:
    """The images and the model where every machine sees them."""
    shared, _ = cluster
    for source in (images, model):
        subprocess.run(["cp", "--recursive", str(source), str(shared / source.name)], check=True)
    return str(shared / images.name), shared / model.name


def test_the_cluster_gives_the_same(cluster, on_all_machines, expected):
    shared, options = cluster
    assert BeamSteps(*on_all_machines, shared / "first").run_all(*options) == expected


def test_it_gives_the_same_when_a_worker_machine_is_lost(cluster, on_all_machines, expected):
    shared, options = cluster
    killer = threading.Timer(10, subprocess.run, (shlex.split(os.environ["EFFNET_KILL"]),), {"check": True})
    killer.start()
    try:
        assert BeamSteps(*on_all_machines, shared / "second").run_all(*options) == expected
    finally:
        killer.cancel()
        killer.join()
