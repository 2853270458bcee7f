"""Options of Beam are refused where they cannot work, before a step starts."""

import pytest

from pipeline.config.beam import check_form, check_ready, complete, workers_are_elsewhere
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError

IMAGE = "--sdk_container_image=registry.example/effnet:1"
DATAFLOW = ["--runner=DataflowRunner", "--project=p", "--region=europe-west1", "--temp_location=gs://b/tmp", IMAGE]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--direct_num_workers=2"],
        ["--runner=PortableRunner", "--job_endpoint=embed"],
        ["--runner=PortableRunner", "--job_endpoint=jobs:8099", "--environment_type=LOOPBACK"],
        ["--runner=FlinkRunner", "--flink_master=jobs:8081", "--parallelism=8", IMAGE],
        ["--runner=SparkRunner", "--spark_master_url=spark://spark:7077", IMAGE],
        DATAFLOW,
    ],
)
def test_what_can_work_passes(options):
    check_form(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["direct_num_workers=2"], "expected --name=value"),
        (["--runner FlinkRunner"], "expected --name=value"),
        (["--runner=FlinkRuner"], "did you mean FlinkRunner"),
        (["--runner=DaskRunner"], "lost a split"),
        (["--runner=FlinkRunner", IMAGE], "also needs --flink_master"),
        (["--runner=FlinkRunner", "--flink_master=jobs", IMAGE], "expected HOST:PORT"),
        (["--runner=SparkRunner", IMAGE], "also needs --spark_master_url"),
        (["--runner=PortableRunner"], "also needs --job_endpoint"),
        ([option for option in DATAFLOW if "region" not in option], "also needs --region"),
        ([option.replace("gs://", "/") for option in DATAFLOW], "expects a folder on gs://"),
    ],
)
def test_what_cannot_is_refused_with_what_is_missing(options, message):
    with pytest.raises(ValueError, match=message):
        check_form(options)


def test_an_embedded_job_service_works_without_docker():
    embedded = ["--runner=PortableRunner", "--job_endpoint=embed"]
    assert complete(embedded) == [*embedded, "--environment_type=LOOPBACK"]
    assert complete([*embedded, "--environment_type=PROCESS"]) == [*embedded, "--environment_type=PROCESS"]
    assert complete(DATAFLOW) == DATAFLOW


@pytest.mark.parametrize(
    ("options", "elsewhere"),
    [
        ([], False),
        (["--runner=DirectRunner", "--direct_num_workers=2"], False),
        (["--runner=PortableRunner", "--job_endpoint=embed"], False),
        (["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=PROCESS"], False),
        (["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=beam:env:embedded_python:v1"], False),
        (["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"], True),
        (["--runner=PortableRunner", "--job_endpoint=jobs:8099", "--environment_type=LOOPBACK"], False),
        (["--runner=PortableRunner", "--job_endpoint=jobs:8099", "--environment_type=PROCESS"], True),
        (["--runner=FlinkRunner", "--flink_master=jobs:8081", "--environment_type=LOOPBACK"], False),
        (["--runner=FlinkRunner", "--flink_master=jobs:8081"], True),
        (DATAFLOW, True),
    ],
)
def test_where_workers_are_is_told_by_runner_job_service_and_environment(options, elsewhere):
    check_form(options)
    assert workers_are_elsewhere(options) is elsewhere


def test_the_configuration_names_the_line():
    with pytest.raises(ConfigError, match=r"runners\.beam: --runner=FlinkRunner also needs"):
        load_config(overrides=["runners.beam=[--runner=FlinkRunner]"])


@pytest.mark.tfx
def test_a_misspelt_option_is_no_silence():
    check_ready(["--direct_num_workers=2", "--parallelism=8", "--experiment=x", "--streaming"])
    with pytest.raises(ValueError, match="did you mean --direct_num_workers"):
        check_ready(["--direct_num_worker=2"])


def test_workers_elsewhere_need_the_projects_packages():
    with pytest.raises(ValueError, match=r"--runner=FlinkRunner .* --sdk_container_image=\.\.\."):
        check_ready(["--runner=FlinkRunner", "--flink_master=jobs:8081"])
