"""The doctor's verdicts on a cluster: a stand-in for the Kubernetes API, filled with the client's own models.

No test here has a cluster; tests/kubeflow/live asks a real one.
"""

import pytest
from kubernetes import client

from pipeline.config.load import load_config
from pipeline.doctor.kubeflow import examine_cluster, examine_kubeflow
from pipeline.kubeflow.connection import TOKEN_VARIABLE
from tests.pipeline.kubeflow.contract_server import ContractServer

SETTINGS = (
    "runners.kubeflow.image=registry.example/effnet:1",
    "runners.kubeflow.volumes=[{claim: photos, path: /mnt/data}]",
    "runners.kubeflow.secrets=[{name: store, env: {accesskey: AWS_ACCESS_KEY_ID}}]",
    "runners.kubeflow.resources.Trainer={gpu: 2, node_selector: {pool: gpu}}",
)


class Kubernetes:
    """Both halves of its API, over what a test puts there."""

    def __init__(self) -> None:
        meta = client.V1ObjectMeta
        self.status = 404  # of what is not there
        image = client.V1ContainerImage(names=["registry.example/effnet:1"])
        self.nodes = [
            client.V1Node(
                metadata=meta(labels={"pool": "gpu"}),
                status=client.V1NodeStatus(images=[image], allocatable={"nvidia.com/gpu": "2"}),
            )
        ]
        self.objects = {
            "pipeline-install-config": client.V1ConfigMap(data={"cronScheduleTimezone": "UTC"}),
            "pipeline-runner": client.V1ServiceAccount(),
            "store": client.V1Secret(data={"accesskey": "c2VjcmV0"}),
            "photos": client.V1PersistentVolumeClaim(
                spec=client.V1PersistentVolumeClaimSpec(access_modes=["ReadWriteOnce"]),
                status=client.V1PersistentVolumeClaimStatus(phase="Bound"),
            ),
        }
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        self.classes = [client.V1StorageClass(metadata=meta(name="standard", annotations=annotations), provisioner="p")]

    def _read(self, name: str, namespace: str):
        assert namespace == "kubeflow"
        if name not in self.objects:
            raise client.ApiException(status=self.status, reason="reason")
        return self.objects[name]

    read_namespaced_config_map = read_namespaced_service_account = read_namespaced_secret = _read
    read_namespaced_persistent_volume_claim = _read

    def list_node(self):
        return client.V1NodeList(items=self.nodes)

    def list_storage_class(self):
        return client.V1StorageClassList(items=self.classes)


def verdicts(cluster: Kubernetes, *overrides: str) -> dict[str, tuple[bool | None, str]]:
    settings = load_config(overrides=[*SETTINGS, *overrides]).runners.kubeflow
    found = list(examine_cluster(settings, cluster, cluster, "kubeflow"))
    assert all("\n" not in one.finding for one in found)
    return {one.subject: (one.ok, one.finding) for one in found}


def test_a_cluster_that_has_all_of_it():
    found = verdicts(Kubernetes())
    assert {ok for ok, _ in found.values()} == {True}
    assert list(found) == [
        "time zone", "service account", "image", "storage class", "claim photos", "secret store", "GPU of Trainer",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "change", "override", "ok", "said"),
    [
        ("time zone", lambda c: None, "cron_timezone=Asia/Tokyo", False, "cron_timezone to it, which is Asia/Tokyo"),
        ("service account", lambda c: None, "service_account=trainer", False, "not in the cluster: create it"),
        ("image", lambda c: None, "image=effnet:2", None, "effnet:2: on no node yet"),
        ("image", lambda c: None, "image=effnet", False, "give each build a tag of its own"),
        ("image", lambda c: None, "image=registry:5000/effnet", False, "give each build a tag of its own"),
        ("storage class", lambda c: c.classes.clear(), "state=/tmp/x", None, "no default among: none"),
        ("claim photos", lambda c: c.nodes.append(c.nodes[0]), "state=/tmp/x", False, "has to be ReadWriteMany"),
        ("claim photos", lambda c: c.objects.pop("photos"), "state=/tmp/x", False, "not in the cluster"),
        ("secret store", lambda c: c.objects["store"].data.clear(), "state=/tmp/x", False, "has no key accesskey"),
        (
            "GPU of Trainer",
            lambda c: None,
            "resources.Trainer={gpu: 3}",
            False,
            "3 of nvidia.com/gpu wanted, at most 2",
        ),
        (
            "GPU of Trainer",
            lambda c: None,
            "resources.Trainer={gpu: 1, node_selector: {pool: x}}",
            False,
            "at most 0 on one of 0 nodes",
        ),
    ],
)
def test_what_is_amiss_is_named_with_what_to_do(subject, change, override, ok, said):
    cluster = Kubernetes()
    change(cluster)
    found = verdicts(cluster, f"runners.kubeflow.{override}")
    assert found[subject][0] is ok
    assert said in found[subject][1]
    assert len([one for one in found.values() if one[0] is not True]) == 1


def test_what_one_may_not_look_at_is_no_fault():
    cluster = Kubernetes()
    cluster.objects.clear()
    cluster.status = 403
    assert {ok for ok, _ in verdicts(cluster).values()} == {True, None}


@pytest.mark.parametrize(
    ("version", "ok", "said"), [("2.15.0", True, "was tried"), ("2.4.1", False, "install"), ("", None, "does not say")]
)
def test_the_version_of_the_endpoint(monkeypatch, tmp_path, version, ok, said):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with ContractServer() as server:
        server.store.version = version
        config = load_config(overrides=[f"runners.kubeflow.endpoint={server.url}"])
        findings = {one.subject: one for one in examine_kubeflow(config)}
    assert findings["Kubeflow Pipelines"].ok is ok
    assert said in findings["Kubeflow Pipelines"].finding
    assert findings["settings"].ok is False  # the quick start pushes to this machine's own disk
    assert findings["cluster"].ok is None


def test_nobody_at_the_endpoint(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    config = load_config(overrides=["runners.kubeflow.endpoint=http://127.0.0.1:9"])
    (finding,) = [one for one in examine_kubeflow(config) if one.subject == "Kubeflow Pipelines"]
    assert (finding.ok, "nobody answers" in finding.finding) == (False, True)
