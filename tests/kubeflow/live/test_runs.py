"""A pipeline's life on a cluster: what runs, what comes from the cache, what is refused, what is served."""

import json

import pytest

pytestmark = pytest.mark.tfx

# Each run asks these; that a model was pushed is news to the rest.
ALWAYS = {"ImageExampleGen-resolver", "DataGate-resolver", "ServedModel-resolver", "Pusher-resolver", "Outcome"}
LOOKING = {"DataGate", "Pusher", "DataProfile", "RunReport"}


@pytest.fixture(scope="module")
def first(cluster):
    """The first run, of everything."""
    result = cluster.run()
    assert (result.state, result.troubles) == ("SUCCEEDED", [])
    return result


def test_the_first_run_does_everything_and_pushes(cluster, first):
    assert ALWAYS | LOOKING | {"Transform", "Tuner", "Trainer", "GatedEvaluator", "ServingCheck"} <= first.ran
    assert len(cluster.served()) == 1


def test_an_unchanged_run_comes_from_the_cache(cluster, first):
    served = cluster.served()
    again = cluster.end_of(cluster.start())
    assert again.state == "SUCCEEDED"
    assert again.ran == ALWAYS | LOOKING
    assert cluster.served() == served


def test_a_changed_setting_reruns_what_it_changes(cluster, first):
    changed = cluster.run("train.epochs=2")
    assert changed.state in ("SUCCEEDED", "REFUSED")  # the gate may find it worse than the first
    assert {"Trainer", "GatedEvaluator", "Pusher"} <= changed.ran
    assert not {"ImageExampleGen", "StatisticsGen", "Transform"} & changed.ran


def test_a_model_that_the_gate_refuses_is_told_from_a_failure_and_not_pushed(cluster, first):
    served = cluster.served()
    refused = cluster.run("evaluate.min_accuracy=0.9999")
    assert refused.state == "REFUSED"
    (trouble,) = refused.troubles
    assert (trouble.step, "below 0.9999" in trouble.reason) == ("Outcome", True)
    assert "RunReport" in refused.ran
    assert cluster.served() == served


def test_data_that_the_gate_refuses_stop_the_run_before_training(cluster, first):
    served = cluster.served()
    refused = cluster.run("data.min_images_per_class=9000")
    assert refused.state == "REFUSED"
    assert [trouble.step for trouble in refused.troubles] == ["DataGate"]
    assert not {"Transform", "Trainer", "Pusher"} & refused.ran
    assert cluster.served() == served


def test_two_runs_at_once_leave_one_order_of_versions(cluster, first):
    cluster.upload("train.epochs=1", "seed=7", "evaluate.min_accuracy=0.01")
    runs = [cluster.start() for _ in range(2)]
    results = [cluster.end_of(run) for run in runs]
    assert {result.state for result in results} <= {"SUCCEEDED", "REFUSED"}
    assert cluster.served() == sorted(cluster.served(), key=int)


def effnet(cluster, *arguments: str) -> str:
    """What `effnet` prints in the image."""
    return cluster.ask(
        f"""
        import subprocess, sys
        command = [sys.executable, "-m", "pipeline.cli", *{list(arguments)!r}]
        done = subprocess.run(command, capture_output=True, text=True)
        print(done.stdout or done.stderr)
        """
    )


def test_models_and_rollback_work_on_the_volume(cluster, first):
    path = ("--quick-start", "--set", f"push.path={cluster.home}/served")
    before = json.loads(effnet(cluster, "models", "--json", *path))
    print(f"models: {before}")
    assert [model["version"] for model in before if model.get("served")]
    if len(before) > 1:
        effnet(cluster, "rollback", *path)
        after = json.loads(effnet(cluster, "models", "--json", *path))
        assert [m["version"] for m in after if m.get("served")] != [m["version"] for m in before if m.get("served")]


def test_a_model_is_pushed_to_an_object_store(cluster, first):
    from tests.kubeflow.live.conftest import BUCKET

    result = cluster.run(f"push.path=s3://{BUCKET}/{cluster.name}-served")
    assert (result.state, result.troubles) == ("SUCCEEDED", [])
    again = cluster.end_of(cluster.start())
    assert again.ran == ALWAYS | LOOKING
