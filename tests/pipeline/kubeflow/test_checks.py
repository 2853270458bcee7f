"""What the backend would refuse is refused when the pipeline is compiled, in one line."""

import pytest

from pipeline.kubeflow.errors import KubeflowError
from tests.pipeline.kubeflow.conftest import DATAFLOW, cluster_config

pytestmark = pytest.mark.tfx


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.path=build/digits", "data.path: got .*, which no container sees"),
        ("push.path=null", "push.path: is required on Kubeflow"),
        ("push.path=minio://bucket/served", "which only the launcher knows: expected s3://"),
        ("name=quick_start", "expected lower-case letters, digits and inner hyphens"),
        (DATAFLOW, "pipeline_root: got minio://.*, expected gs://"),
        ("runners.kubeflow.resources.Trainr={gpu: 1}", "no such step; did you mean Trainer"),
    ],
)
def test_what_cannot_work_in_a_cluster_is_refused_in_one_line(override, said, tmp_path):
    from pipeline.kubeflow_runner import compile_pipeline

    with pytest.raises(KubeflowError, match=said) as error:
        compile_pipeline(cluster_config(override), str(tmp_path))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def refused(node) -> str:
    from tfx import v1 as tfx

    from pipeline.kubeflow.checks import check_pipeline

    pipeline = tfx.dsl.Pipeline(pipeline_name="p", pipeline_root="minio://x/y", components=[node])
    with pytest.raises(KubeflowError) as error:
        check_pipeline(pipeline, cluster_config())
    return str(error.value)


def test_a_node_that_the_backend_would_refuse_is_named():
    from tfx import v1 as tfx

    channel = tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model)
    resolver = tfx.dsl.Resolver(strategy_class=tfx.dsl.experimental.LatestArtifactStrategy, model=channel).with_id(
        "latest"
    )
    assert refused(resolver).startswith("latest: the backend runs no Resolver")
    assert refused(tfx.components.CsvExampleGen(input_base="/x")).startswith(
        "CsvExampleGen: the backend does not resolve"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["my_statistics"], "my_statistics: expected a letter, then letters, digits and hyphens"),
        (["2Trainer"], "2Trainer: expected a letter"),
        (["T" * 122], "121 characters at most"),
        (["Trainer", "Trainer-driver"], "Trainer-driver: Kubeflow makes a task of that name for Trainer"),
        (["Trainer-driver", "Trainer"], "Trainer-driver: Kubeflow makes a task of that name for Trainer"),
        (["Pusher", "Pusher-resolver", "Pusher-resolver"], "Pusher-resolver: Kubeflow has a task of that name already"),
        (["root"], "root: Kubeflow has a task of that name already"),
    ],
)
def test_a_name_that_argo_would_refuse_is_named(names, said):
    from pipeline.kubeflow.checks import check_names

    check_names(["T" * 121, "Trainer-driver", "driver"])
    with pytest.raises(KubeflowError, match=said) as error:
        check_names(names)
    assert "\n" not in str(error.value)


def test_the_names_of_resolvers_are_checked_as_well(tmp_path):
    from tfx import v1 as tfx

    from components.served_model.component import ServedModel
    from pipeline.kubeflow.compiler import KubeflowRunner

    model = tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model)
    served = ServedModel(push_path="/mnt/data/served", candidate=model).with_id("S" * 115)
    pipeline = tfx.dsl.Pipeline(pipeline_name="p", pipeline_root="minio://x/y", components=[served])
    with pytest.raises(KubeflowError, match=r"S-resolver: expected .* 121 characters at most"):
        KubeflowRunner(cluster_config("runners.kubeflow.resources={}"), str(tmp_path)).run(pipeline)


ON_VERTEX = (
    "data.path=gs://b/digits",
    "push.path=gs://b/served",
    "runners.kubeflow.pipeline_root=gs://b/root",
    "runners.kubeflow.volumes=[]",
    "runners.kubeflow.secrets=[]",
    "runners.kubeflow.resources.Trainer={gpu: 1, gpu_type: NVIDIA_TESLA_T4}",
)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("runners.kubeflow.volumes=[{claim: photos, path: /mnt/data}]", "Vertex AI has no Kubernetes"),
        ("runners.kubeflow.secrets=[{name: store, env: {a: B}}]", "Vertex AI has no Kubernetes"),
        ("runners.kubeflow.resources.Tuner={node_selector: {a: b}}", "Vertex AI has no Kubernetes"),
        ("data.path=s3://b/digits", "data.path: got s3://b/digits, expected gs://"),
        ("push.path=s3://b/served", "push.path: got s3://b/served, expected gs://"),
        ("runners.kubeflow.pipeline_root=null", "pipeline_root: got null, expected gs://"),
        ("runners.kubeflow.resources.Tuner={gpu: 1}", "Tuner.gpu_type: got None, expected Vertex AI's name"),
        ("runners.kubeflow.resources.Tuner={gpu: 1, gpu_type: nvidia.com/gpu}", "got nvidia.com/gpu, expected Vertex"),
    ],
)
def test_what_vertex_ai_has_not_is_refused_in_one_line(override, said):
    from pipeline.kubeflow.checks import check_vertex

    check_vertex(cluster_config(*ON_VERTEX))
    with pytest.raises(KubeflowError, match=said) as error:
        check_vertex(cluster_config(*ON_VERTEX, override))
    assert "\n" not in str(error.value)
