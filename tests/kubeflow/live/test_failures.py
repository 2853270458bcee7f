"""What goes wrong on a cluster is named within a minute, and what can be retried goes on where it was."""

import pytest

from pipeline.kubeflow.troubles import Kind

pytestmark = pytest.mark.tfx

SOON = 60  # seconds from the moment at which Kubernetes knows it
BEFORE = 240  # seconds in which a first pod of ours is due
LONG = ("train.epochs=40", "seed=11")


def first_trouble(cluster, run: str, kind: Kind):
    """The first of its kind that `tfx run status` would show."""
    found = []

    def there() -> bool:
        found[:] = [trouble for trouble in cluster.kubeflow.troubles(run) if trouble.kind is kind]
        return bool(found)

    seconds = cluster.wait_for(there, f"a step of run {run} that is {kind}", BEFORE + SOON)
    print(f"{found[0]} (seen after {seconds:.0f} s)")
    return found[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("runners.kubeflow.image=registry.invalid/effnet:none", "correct runners.kubeflow.image"),
        ("runners.kubeflow.secrets=[{name: live-no-such, env: {a: B}}]", 'secret "live-no-such" not found'),
        (
            "runners.kubeflow.volumes=[{claim: live-no-such, path: /mnt/effnet}]",
            'persistentvolumeclaim "live-no-such" not found',
        ),
    ],
)
def test_what_a_pod_waits_for_in_vain_is_named(cluster, override, said):
    cluster.upload(override)
    run = cluster.start()
    assert said in first_trouble(cluster, run, Kind.WAITING).reason
    cluster.kubeflow.terminate(run)
    # Argo ends a workflow whose pods never started as failed.
    assert cluster.end_of(run).state in ("FAILED", "CANCELED")


def test_a_step_that_fails_says_why(cluster):
    result = cluster.run("data.path=/mnt/effnet/live-no-such-folder")
    assert result.state in ("FAILED", "REFUSED")
    assert "live-no-such-folder" in result.troubles[0].reason


def test_a_step_without_enough_memory_is_named(cluster):
    result = cluster.run("runners.kubeflow.resources.Trainer={memory: 300Mi}", "seed=12")
    assert result.state == "FAILED"
    (trouble,) = [trouble for trouble in result.troubles if trouble.step == "Trainer"]
    assert "out of memory" in trouble.reason


def started_training(cluster, run: str) -> None:
    """Waits until the Trainer's pod trains."""

    def running() -> bool:
        nodes = cluster.kubeflow.workflow(run).get("status", {}).get("nodes", {}).values()
        return any(".Trainer.executor" in node["name"] and node["phase"] == "Running" for node in nodes)

    cluster.wait_for(running, "the Trainer's pod", 1800)
    checkpoints = f"import pathlib; print(len(list(pathlib.Path('{cluster.home}/state').rglob('state.npz'))))"
    cluster.wait_for(lambda: int(cluster.ask(checkpoints) or 0) > 0, "a checkpoint", 600)


def test_a_run_that_is_terminated_ends(cluster):
    cluster.upload(*LONG)
    run = cluster.start()
    cluster.wait_for(lambda: cluster.kubeflow.run(run).state == "RUNNING", "its start", 120)
    cluster.kubeflow.terminate(run)
    assert cluster.end_of(run).state in ("CANCELED", "FAILED")


def test_a_trainer_whose_pod_is_deleted_goes_on_from_its_checkpoint(cluster):
    cluster.upload(*LONG, "runners.kubeflow.resources.Trainer={retries: 2}")
    run = cluster.start()
    started_training(cluster, run)
    deleted = cluster.ask(
        f"""
        from kubernetes import client, config
        config.load_incluster_config()
        namespace = open("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read()
        pods = client.CoreV1Api().list_namespaced_pod(namespace, label_selector="pipeline/runid={run}").items
        for pod in pods:
            name = pod.metadata.annotations.get("workflows.argoproj.io/node-name", "")
            if ".Trainer.executor" in name and pod.status.phase == "Running":
                client.CoreV1Api().delete_namespaced_pod(pod.metadata.name, namespace)
                print(name)
        """
    )
    print(f"deleted {deleted}")
    assert ".Trainer.executor(0)" in deleted
    assert first_trouble(cluster, run, Kind.RETRIED).step == "Trainer"
    result = cluster.end_of(run)
    assert "Trainer" in result.ran
    assert result.state in ("SUCCEEDED", "REFUSED")
