"""An engine that is not there is named before anything runs."""

import socket
import time

import pytest

from components.common import s3
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError
from pipeline.execution import beam_engine
from pipeline.execution.beam_engine import cause_of, check_engine, heard_of, look_at
from pipeline.execution.prepare import prepare


@pytest.fixture
def java(tmp_path, monkeypatch):
    """A Java on the PATH: this machine may have none, and only its version is asked for."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"17\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


@pytest.fixture
def closed():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    "options", [[], ["--direct_num_workers=2"], ["--runner=PortableRunner", "--job_endpoint=embed"]]
)
def test_this_process_needs_nothing(options):
    assert list(look_at(options)) == []


def test_without_java_no_job_server_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no java is on the PATH.*install Java 11.*effnet doctor --beam"):
        check_engine(["--runner=FlinkRunner", "--flink_master=[local]"])


def test_a_java_that_does_not_start_is_named(java):
    java.write_text("#!/bin/sh\necho 'no libjvm.so' >&2; exit 1\n")
    with pytest.raises(ConfigError, match=r"does not start \(no libjvm.so\)"):
        check_engine(["--runner=SparkRunner", "--spark_master_url=spark://a:7077"])


@pytest.mark.parametrize(
    "options",
    [
        ["--runner=FlinkRunner", "--flink_master={}"],
        ["--runner=FlinkRunner", "--flink_master=http://{}"],
        ["--runner=SparkRunner", "--spark_master_url=spark://{}"],
        ["--runner=PortableRunner", "--job_endpoint={}"],
    ],
)
@pytest.mark.usefixtures("java")
def test_an_address_where_nobody_listens_is_named(options, closed):
    with pytest.raises(ConfigError, match=rf"{closed} does not answer \(Connection refused\)"):
        check_engine([option.format(closed) for option in options])
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_engine([option.format(address) for option in options])


@pytest.mark.usefixtures("java")
def test_a_job_server_that_is_missing_or_of_another_version_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        flink = ["--runner=FlinkRunner", f"--flink_master=127.0.0.1:{server.getsockname()[1]}", "--flink_version=1.20"]
        with pytest.raises(ConfigError, match="there is no job server at /none"):
            check_engine([*flink, "--flink_job_server_jar=/none"])
        older = tmp_path / "beam-runners-flink-1.18-job-server-2.72.0.jar"
        older.touch()
        with pytest.raises(ConfigError, match=r"is for Flink 1\.18, and --flink_version is 1\.20"):
            check_engine([*flink, f"--flink_job_server_jar={older}"])
        check_engine(
            [*flink, f"--flink_job_server_jar={older.rename(tmp_path / 'beam-runners-flink-1.20-job-server')}"]
        )


def test_of_a_workers_tracebacks_the_cause_is_shown():
    """What Beam's runner in this process raised for a token that had expired, its frames shortened."""
    text = (
        'Traceback (most recent call last): File "common.py", line 1, in process '
        "components.common.errors.StorageError: s3://b/x: the session token has expired; get a new one "
        "During handling of the above exception, another exception occurred: "
        'Traceback (most recent call last): File "common.py", line 2, in raise_exception '
        "components.common.errors.StorageError: s3://b/x: the session token has expired; get a new one "
        "[while running 'Survey-ptransform-42']"
    )
    assert cause_of(text) == "s3://b/x: the session token has expired; get a new one"
    assert cause_of("ValueError: as it is") == "ValueError: as it is"


def test_an_engine_elsewhere_is_heard_of(monkeypatch):
    words = []
    monkeypatch.setattr(beam_engine, "WORD_SECONDS", 0.02)
    monkeypatch.setattr(beam_engine, "report_progress", words.append)
    with heard_of([]):
        time.sleep(0.1)
    assert not words, "the engine in this process reports by itself"
    with heard_of(["--runner=FlinkRunner", "--flink_master=[local]"]):
        time.sleep(0.2)
    assert "FlinkRunner is at work, 0 s so far" in words


@pytest.mark.tfx
def test_the_process_that_lists_the_images_takes_the_store_of_the_options(tmp_path, monkeypatch):
    from apache_beam.io.filesystems import FileSystems

    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    endpoint = "http://127.0.0.1:9"
    prepare(load_config(overrides=[f"data.path={tmp_path}", f"runners.beam=[--s3_endpoint_url={endpoint}]"]))
    assert s3.client().meta.endpoint_url == endpoint
