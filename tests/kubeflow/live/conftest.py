"""A Kubeflow Pipelines that somebody runs: `make test-kubeflow KFP_ENDPOINT=http://localhost:8080`.

Nothing is known of it but its endpoint, and what docs/kubeflow.md has a reader do: an image of this project that the
cluster can pull (KFP_IMAGE), a claim that user 1000 may write (KFP_CLAIM), and an object store at AWS_ENDPOINT_URL_S3
whose keys are in the secret mlpipeline-minio-artifact. Whatever else is wanted of the cluster is asked of it through
Kubeflow itself, by tasks that run in the image. All that the suite makes has names that begin with `live-`.
"""

import json
import os
import textwrap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.connection import connect
from pipeline.kubeflow.schedules import ENDED
from pipeline.kubeflow.troubles import state_of

ENDPOINT = os.environ.get("KFP_ENDPOINT")
IMAGE = os.environ.get("KFP_IMAGE", "tfx-efficientnet:latest")
CLAIM = os.environ.get("KFP_CLAIM", "effnet")
BUCKET = os.environ.get("KFP_BUCKET", "mlpipeline")
STORE = os.environ.get("KFP_STORE", "http://minio-service.kubeflow:9000")
SECRET, KEYS = "mlpipeline-minio-artifact", {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"}
ENVIRONMENT = {"AWS_ENDPOINT_URL_S3": STORE, "AWS_DEFAULT_REGION": "us-east-1"}
MOUNT = "/mnt/effnet"
MINUTES = float(os.environ.get("KFP_MINUTES", "30"))  # that a run may take
LOOK_EVERY = 2.0
# "failed: " is how the steps' own line begins where nothing is refused.
WRAPPER = """
import contextlib, io, sys, traceback
out = io.StringIO()
try:
    with contextlib.redirect_stdout(out):
        exec({script!r})
except BaseException:
    out.write(traceback.format_exc()[-1500:])
open("/dev/termination-log", "w").write("failed: said: " + out.getvalue()[-3500:])
sys.exit(1)
"""
SMALL = (
    "model.image_size=32", "train.epochs=1", "tune.trials=1", "tune.data_fraction=0.3", "serving.requests=3",
    "evaluate.min_accuracy=0.05",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)
            if not ENDPOINT:
                item.add_marker(
                    pytest.mark.skip(reason="needs a Kubeflow Pipelines, at KFP_ENDPOINT; make test-kubeflow")
                )


class Cluster:
    """One pipeline on the cluster, and a folder on its volume."""

    def __init__(self, folder: Path):
        self.kubeflow = KubeflowClient(connect(ENDPOINT))
        self.name = f"live-{uuid.uuid4().hex[:6]}"
        self.home = f"{MOUNT}/{self.name}"
        self._folder = folder
        self._versions = 0

    def settings(self, *overrides: str) -> list[str]:
        """The settings of a run, of which the last wins."""
        return [
            f"name={self.name}",
            f"data.path={self.home}/digits",
            f"push.path={self.home}/served",
            f"runners.kubeflow.endpoint={ENDPOINT}",
            f"runners.kubeflow.image={IMAGE}",
            f"runners.kubeflow.pipeline_root=minio://{BUCKET}/{self.name}",
            f"runners.kubeflow.state={self.home}/state",
            f"runners.kubeflow.volumes=[{{claim: {CLAIM}, path: {MOUNT}}}]",
            f"runners.kubeflow.env={json.dumps(ENVIRONMENT)}",
            f"runners.kubeflow.secrets={json.dumps([{'name': SECRET, 'env': KEYS}])}",
            *SMALL,
            *overrides,
        ]

    def upload(self, *overrides: str) -> None:
        """Compiles the pipeline with these settings, and makes it the newest version."""
        from pipeline.kubeflow_runner import compile_pipeline

        self._versions += 1
        version = f"{self.name}-{self._versions}"
        compile_pipeline(load_config(overrides=self.settings(*overrides)), str(self._folder), f"{version}.yaml")
        package = self._folder / f"{version}.yaml"
        if self._versions == 1:
            self.kubeflow.create(self.name, package)
        else:
            self.kubeflow.update(self.name, package, version)

    def start(self) -> str:
        """Starts a run of the newest version."""
        return str(self.kubeflow.start(self.name, {}).run_id)

    def run(self, *overrides: str) -> "Result":
        """Uploads, starts, and waits for the end."""
        self.upload(*overrides)
        return self.end_of(self.start())

    def end_of(self, run_id: str) -> "Result":
        """Waits until a run has ended."""
        self.wait_for(lambda: self.kubeflow.run(run_id).state in ENDED, f"the end of run {run_id}", MINUTES * 60)
        # The record of the run and that of its workflow are two reports of the persistence agent.
        self.wait_for(lambda: "phase" in self.kubeflow.workflow(run_id).get("status", {}), "its workflow", 60)
        return Result(self.kubeflow, run_id)

    def wait_for(self, ready, what: str, seconds: float) -> float:
        """Waits until `ready()`; returns how many seconds it took."""
        began = time.monotonic()
        while not ready():
            assert time.monotonic() - began < seconds, f"waited {seconds:.0f} s for {what}"
            time.sleep(LOOK_EVERY)
        return time.monotonic() - began

    def ask(self, script: str) -> str:
        """What a Python script prints that runs in the image, on the volume; 4,096 bytes at most.

        It is told by way of Kubernetes' termination message, so the task always ends as failed.
        """
        from kfp import compiler, dsl, kubernetes

        body = textwrap.dedent(script)
        whole = WRAPPER.format(script=body)

        @dsl.container_component
        def question():
            return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", whole])

        @dsl.pipeline(name="live-question")
        def pipeline():
            task = question()
            task.set_caching_options(False)
            kubernetes.mount_pvc(task, CLAIM, MOUNT)
            kubernetes.set_image_pull_policy(task, "IfNotPresent")
            kubernetes.use_secret_as_env(task, SECRET, KEYS)
            for name, value in ENVIRONMENT.items():
                task.set_env_variable(name, value)

        package = self._folder / "question.yaml"
        compiler.Compiler().compile(pipeline, str(package))
        run_id = self.kubeflow._client.create_run_from_pipeline_package(
            str(package), experiment_name=self.name, enable_caching=False
        ).run_id
        result = self.end_of(run_id)
        (trouble,) = result.troubles
        _, found, said = trouble.reason.partition("said: ")
        assert found, trouble
        self.kubeflow.delete_run(run_id)
        return said

    def served(self) -> list[str]:
        """The versions below push.path on the volume."""
        versions = f"sorted(p.name for p in pathlib.Path('{self.home}/served').glob('[0-9]*'))"
        return self.ask(f"import pathlib; print(*{versions})").split()

    def clean_up(self) -> None:
        """Deletes the pipeline, its schedules and runs, its folder on the volume and its objects in the store."""
        for run in self.kubeflow.runs(self.name):
            if run.state not in ENDED:
                self.kubeflow.terminate(run.run_id)
                self.wait_for(lambda run=run: self.kubeflow.run(run.run_id).state in ENDED, "its end", 300)
        left = self.ask(
            f"""
            import boto3, shutil
            shutil.rmtree("{self.home}", ignore_errors=True)
            objects = boto3.resource("s3").Bucket("{BUCKET}").objects
            objects.filter(Prefix="{self.name}").delete()
            print(len(list(objects.filter(Prefix="{self.name}"))))
            """
        )
        print(f"{left.strip()} objects of {self.name} are left in {BUCKET}")
        for run in self.kubeflow.runs(self.name):
            self.kubeflow.delete_run(run.run_id)
        self.kubeflow.delete(self.name)


class Result:
    """How a run ended."""

    def __init__(self, kubeflow: KubeflowClient, run_id: str):
        self.run_id = run_id
        run = kubeflow.run(run_id)
        nodes = list(kubeflow.workflow(run_id)["status"].get("nodes", {}).values())
        self.troubles = kubeflow.troubles(run_id)
        self.state = state_of(run.state, self.troubles)
        self.seconds = (run.finished_at - run.created_at).total_seconds()
        names = [node["name"].split(".") for node in nodes if node["type"] == "Pod" and node["phase"] == "Succeeded"]
        # The steps that ran, and did not come from the cache.
        self.ran = {name[2] for name in names if len(name) > 3 and name[3].startswith("executor")}
        print(f"run {run_id}: {self.state} after {self.seconds:.0f} s; ran {', '.join(sorted(self.ran)) or 'nothing'}")
        for trouble in self.troubles:
            print(f"  {trouble}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """The pipeline, with the quick start's images on the volume."""
    cluster = Cluster(tmp_path_factory.mktemp("live"))
    cluster.upload()
    try:
        made = cluster.ask(
            f"""
            from pathlib import Path
            from data.quickstart import build_quickstart
            folder = Path("{cluster.home}/digits")
            build_quickstart(folder)
            print(len(list(folder.rglob("*.png"))))
            """
        )
        assert int(made) > 1000, made
        yield cluster
    finally:
        cluster.clean_up()
