"""A cluster's settings, compiled once."""

from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.config.model import PipelineConfig

CLUSTER = (
    "data.path=/mnt/data/digits",
    "push.path=/mnt/data/served",
    "runners.kubeflow.image=registry.example/effnet:1",
    "runners.kubeflow.gpu_image=registry.example/effnet:1-gpu",
    "runners.kubeflow.pipeline_root=minio://mlpipeline/v2",
    "runners.kubeflow.volumes=[{claim: photos, path: /mnt/data}]",
    "runners.kubeflow.secrets=[{name: store, env: {accesskey: AWS_ACCESS_KEY_ID}}]",
    "runners.kubeflow.env={AWS_ENDPOINT_URL_S3: 'http://minio:9000'}",
    "runners.kubeflow.resources.default={cpu: 2, memory: 4Gi}",
    "runners.kubeflow.resources.Trainer={cpu: 4, gpu: 1, retries: 2, node_selector: {pool: gpu}, "
    "tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]}",
)

DATAFLOW = "runners.beam=[--runner=DataflowRunner, --project=p, --region=r, --temp_location=gs://b/tmp]"


def cluster_config(*overrides: str) -> PipelineConfig:
    return load_config(overrides=[*CLUSTER, *overrides])


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """The compiled pipeline, as it is uploaded."""
    from pipeline.kubeflow_runner import compile_pipeline

    folder = tmp_path_factory.mktemp("compiled")
    compile_pipeline(cluster_config(), str(folder))
    return folder / "quickstart.yaml"
