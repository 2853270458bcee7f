"""Every Beam step with its workers in other processes gives what it gives in this one, also after a worker is lost."""

import contextlib
import os
import signal
import threading
import time

import pytest

from pipeline.config.load import load_config
from pipeline.doctor.beam import examine_engine
from tests.components.beam_steps import BeamSteps

pytestmark = [pytest.mark.tfx, pytest.mark.slow]
BEAM_STEPS = ("ImageExampleGen", "StatisticsGen", "Transform", "GatedEvaluator")


@pytest.mark.parametrize("engine", ["job_service", "prism"])
def test_workers_in_other_processes_give_the_same(engine, request, images, model, expected, tmp_path):
    options = request.getfixturevalue(engine)
    assert BeamSteps(str(images), model, tmp_path / "out").run_all(*options) == expected


def test_a_step_whose_worker_is_killed_is_right_when_it_is_done_again(
    job_service, pool, images, model, expected, tmp_path
):
    steps = BeamSteps(str(images), model, tmp_path / "out")
    killed = []
    for name in steps.steps:
        if name not in BEAM_STEPS:
            steps.run(name)
            continue
        done = threading.Event()

        def kill(done=done, name=name):
            while not done.is_set():
                for worker in pool.workers()[:1]:
                    time.sleep(3)  # it imports TensorFlow, and then works
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                        killed.append(name)
                    return
                time.sleep(0.05)

        killer = threading.Thread(target=kill)
        killer.start()
        with contextlib.suppress(RuntimeError):  # this engine gives up at once
            steps.run(name, *job_service)
        done.set()
        killer.join()
        steps.run(name, *job_service)
    assert steps.contents() == expected
    assert set(killed) == set(BEAM_STEPS)


def config_of(options, images):
    return load_config(overrides=[f"data.path={images}", f"runners.beam={list(options)}"])


def test_the_doctor_tries_a_worker_and_says_what_is_wrong(job_service, images, tmp_path, pool):
    address, workers = examine_engine(config_of(job_service, images), seconds=120)
    assert address.ok and workers.ok
    assert str(images) in workers.finding

    absent = [option.replace(pool.address, "localhost:1") for option in job_service]
    started = time.monotonic()
    _, workers = examine_engine(config_of(absent, images), seconds=20)
    assert workers.ok is False
    assert time.monotonic() - started < 30

    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "gone.png").symlink_to(tmp_path / "nothing")
    _, workers = examine_engine(config_of(job_service, tmp_path / "empty"), seconds=120)
    assert workers.ok is False and "gone.png" in workers.finding
