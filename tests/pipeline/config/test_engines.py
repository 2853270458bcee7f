"""`runners.beam` names an engine, and Beam's options for it are derived."""

import pytest

from pipeline.config.beam import check_form
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError, PipelineConfig

ROOT = ("runners.local.root=/mnt/effnet", "runners.kubeflow.image=registry.example/effnet:1")
POOL = (
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
    "--sdk_container_image=registry.example/effnet:1",
    "--job_server_timeout=604800",
)
JOB_SERVER = "--artifacts_dir=/mnt/effnet/beam-artifacts"


@pytest.fixture(autouse=True)
def _no_store(monkeypatch):
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def derived(engine: str, *overrides: str) -> tuple[str, ...]:
    options = load_config(overrides=[*ROOT, *overrides, f"runners.beam={engine}"]).runners.beam
    check_form(options)
    return options


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        (
            "{flink: {master: 'flink:8081'}}",
            ("--runner=FlinkRunner", "--flink_master=flink:8081", "--flink_version=1.20", JOB_SERVER, *POOL),
        ),
        (
            "{spark: {master: 'spark://spark:7077', jar: /opt/spark.jar, options: [--parallelism=4]}}",
            (
                "--runner=SparkRunner",
                "--spark_master_url=spark://spark:7077",
                "--spark_version=3",
                "--spark_job_server_jar=/opt/spark.jar",
                JOB_SERVER,
                *POOL,
                "--parallelism=4",
            ),
        ),
        ("{job_service: {endpoint: 'jobs:8099'}}", ("--runner=PortableRunner", "--job_endpoint=jobs:8099", *POOL)),
        (
            "{dataflow: {project: p, region: europe-west1, temp: 'gs://b/tmp', image: other:2}}",
            (
                "--runner=DataflowRunner",
                "--project=p",
                "--region=europe-west1",
                "--temp_location=gs://b/tmp",
                "--sdk_container_image=other:2",
                "--sdk_location=container",
            ),
        ),
    ],
)
def test_a_user_says_only_what_nobody_else_can_know(engine, options):
    assert derived(engine) == options


def test_the_workers_read_the_store_that_the_driver_reads(monkeypatch):
    engine = "{flink: {master: 'flink:8081'}}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://here:9000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never in options")
    assert "--s3_endpoint_url=http://here:9000" in derived(engine)
    of_the_pods = "runners.kubeflow.env={AWS_ENDPOINT_URL_S3: 'http://minio:9000', AWS_REGION: eu-west-1}"
    found = derived(engine, of_the_pods)
    assert {"--s3_endpoint_url=http://minio:9000", "--s3_region_name=eu-west-1"} < set(found)
    assert not any("never" in option for option in found)


def test_what_was_derived_can_be_read_again():
    config = load_config(overrides=[*ROOT, "runners.beam={flink: {master: 'flink:8081'}}"])
    assert PipelineConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("{flink: {}}", "flink.master: is required"),
        ("{flink: {mastr: 'a:1', master: 'a:1'}}", "flink.mastr: unknown key; valid here: .*master"),
        ("{flink: {master: flink}}", "flink.master: got flink, expected such as flink:8081"),
        ("{spark: {master: 'spark:7077'}}", "expected such as spark://spark:7077"),
        ("{dataflow: {project: p, region: r, temp: /tmp}}", "expected such as gs://bucket/tmp"),
        ("{dask: {}}", "dask: unknown key; valid here: flink, spark, dataflow, job_service"),
        ("{}", "names 0 engines"),
        ("{flink: {master: 'a:1'}, job_service: {endpoint: 'b:1'}}", "names 2 engines"),
        ("{flink: [a]}", "flink: .*dictionary"),
    ],
)
def test_what_cannot_be_is_named_by_its_key(engine, message):
    with pytest.raises(ConfigError, match=rf"runners\.beam: .*{message}"):
        derived(engine)


@pytest.mark.parametrize("root", ["s3://bucket/runs", "gs://bucket/runs"])
def test_a_root_on_a_store_is_refused_with_the_reason(root):
    with pytest.raises(ConfigError, match=f"got {root}, expected a folder: ML Metadata's database .* need a disk"):
        load_config(overrides=[f"runners.local.root={root}"])
