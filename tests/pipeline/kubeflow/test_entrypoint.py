"""What the container does for TFX: places, types, drivers, errors."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.code_key import sources_key
from components.common.ingest_report import IngestSummary, write_report
from pipeline.kubeflow.entrypoint import delete_markers, parse
from pipeline.kubeflow.uris import mirror, places, restore

SEGMENT = st.text('abcXYZ019-_.äé"\\ ', min_size=1).filter(lambda name: name not in (".", ".."))
PUSHED_NOT = {"artifacts": [{"uri": "gs://b/pushed", "name": "7", "metadata": {"pushed": 0.0}}]}
NOTHING = {"artifacts": {"pushed_model": {"artifactType": {"instanceSchema": ""}}}}
URI = st.builds(
    lambda scheme, parts: scheme + "/".join(parts),
    st.sampled_from(["minio://", "s3://", "gs://"]),
    st.lists(SEGMENT, min_size=2, max_size=5),
)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/a", "/minio/mlpipeline/v2/a"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("gs://bucket/a", "/gcs/bucket/a"),
        ("hdfs://host/a", None),
        ("/mnt/data", None),
    ],
)
def test_a_mirror_lies_where_the_launcher_puts_it(uri, path):
    assert mirror(uri, "/") == path


@given(st.sets(URI, min_size=1, max_size=4))
def test_every_uri_that_is_mapped_comes_back(uris):
    chosen = {uri: mirror(uri, "/somewhere") for uri in uris}
    said = json.dumps([{"uri": chosen[uri], "note": f"see {chosen[uri]}/data"} for uri in sorted(uris)])
    back = json.loads(restore(said, chosen))
    assert back == [{"uri": uri, "note": f"see {uri}/data"} for uri in sorted(uris)]


def test_an_artifact_without_files_is_mapped_like_the_others(tmp_path):
    (tmp_path / "minio" / "bucket" / "full").mkdir(parents=True)
    chosen = places(["minio://bucket/full/examples", "minio://bucket/empty/model"], False, str(tmp_path))
    assert chosen["minio://bucket/empty/model"] == str(tmp_path / "minio/bucket/empty/model")


def test_on_vertex_ai_and_for_remote_workers_gs_stays(tmp_path):
    assert places(["gs://bucket/a/b"], False, str(tmp_path)) == {"gs://bucket/a/b": "gs://bucket/a/b"}
    (tmp_path / "gcs" / "bucket" / "a").mkdir(parents=True)
    assert places(["gs://bucket/a/b"], True, str(tmp_path)) == {"gs://bucket/a/b": "gs://bucket/a/b"}


def test_what_nobody_can_open_is_named(tmp_path):
    with pytest.raises(ValueError, match="s3://bucket/a/b: TensorFlow cannot open it, and the launcher has not copied"):
        places(["s3://bucket/a/b"], False, str(tmp_path))


def test_beam_s_options_are_told_from_ours():
    ours = ["--json_serialized_invocation_args", "{}", "--json_serialized_inputs_spec_args", "{}"]
    args, beam = parse(["--executor_class_path", "a.B", *ours, "--runner=FlinkRunner", "--remote_artifacts"])
    assert (args.executor_class_path, args.remote_artifacts, beam) == ("a.B", True, ["--runner=FlinkRunner"])


def test_only_the_objects_that_stand_for_folders_are_deleted(monkeypatch):
    kept = {"run/model": 3, "run/model/empty.txt": 0, "run/odd/": 5, "running/": 0}
    objects = {**kept, "run/model/": 0, "run/": 0}

    class Storage(BaseHTTPRequestHandler):
        """Lists and deletes as the JSON API of Google Cloud Storage does."""

        def do_GET(self):
            (prefix,) = parse_qs(urlsplit(self.path).query)["prefix"]
            found = [{"name": name, "bucket": "b", "size": size} for name, size in objects.items()]
            body = json.dumps({"items": [item for item in found if item["name"].startswith(prefix)]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self):
            del objects[unquote(urlsplit(self.path).path.partition("/b/b/o/")[2])]
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Keeps quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        delete_markers("gs://b/run")
        server.shutdown()
    assert objects == kept


@pytest.fixture
def run(tmp_path):
    """Runs the entrypoint as a container does, on an ExecutorInput of the launcher's."""

    def container(
        what: str, name: str | None, inputs: dict, outputs: dict, spec: dict, *flags: str, **variables: str
    ) -> subprocess.CompletedProcess:
        invocation = {"inputs": inputs, "outputs": {"outputFile": str(tmp_path / "out" / "metadata.json"), **outputs}}
        command = [sys.executable, "-m", "pipeline.kubeflow.entrypoint", what, *([name] if name else []), *flags]
        command += ["--json_serialized_invocation_args", json.dumps(invocation)]
        command += ["--json_serialized_inputs_spec_args", json.dumps(spec)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "EFFNET_MIRROR_ROOT": str(tmp_path)}
        environment |= variables
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return container


OUTCOME = {
    "evaluation": ("verdict.json", {
        "blessed": False, "accuracy": 0.6353, "metrics": {}, "recall": {}, "confused": [], "baseline_version": "",
        "baseline_accuracy": None, "problems": ["accuracy is 0.6353, below 0.99"], "notes": [],
    }),
    "serving_check": ("serving_check.json", {"measured": None, "problems": ["it returned NaN"]}),
    "pushed_model": ("", {}),
}  # fmt: skip


def imported_by(done: subprocess.CompletedProcess) -> set[str]:
    """The modules of a process that ran with PYTHONVERBOSE."""
    return {line.split("'")[1] for line in done.stderr.splitlines() if line.startswith("import '")}


@pytest.mark.command
@pytest.mark.parametrize(
    ("pushed", "refusal", "status", "said"),
    [
        (1.0, "", 0, ""),
        (0.0, "", 3, "error: accuracy is 0.6353, below 0.99; it returned NaN"),
        (0.0, "it was withdrawn", 3, "error: it was withdrawn"),
    ],
)
def test_the_outcome_fails_where_nothing_was_pushed_and_says_why(run, tmp_path, pushed, refusal, status, said):
    inputs = {"artifacts": {}}
    for name, (file, content) in OUTCOME.items():
        folder = tmp_path / "minio" / "b" / "r" / name
        folder.mkdir(parents=True)
        if file:
            (folder / file).write_text(json.dumps({**content, "problems": [] if refusal else content["problems"]}))
        metadata = {"pushed": pushed, "refusal": refusal} if name == "pushed_model" else {}
        artifact = {"uri": f"minio://b/r/{name}", "type": {"instanceSchema": ""}, "name": "7", "metadata": metadata}
        inputs["artifacts"][name] = {"artifacts": [artifact]}
    types = {name: {"artifactType": {"instanceSchema": "title: effnet.Any"}} for name in OUTCOME}
    done = run("--outcome", None, inputs, {}, {"artifacts": types}, PYTHONVERBOSE="1")
    assert done.returncode == status, done.stderr
    assert not said or said in done.stderr.splitlines()
    assert "pipeline.kubeflow.outcome" in imported_by(done)
    assert not imported_by(done) & {"tensorflow", "tfx", "apache_beam", "numpy"}  # seconds each, in every run


@pytest.mark.command
@pytest.mark.parametrize(
    ("step", "parameters", "kinds", "found"),
    [
        ("data_gate", {"push_path": "served"}, {}, {"served_path": ""}),
        ("served_model", {"push_path": "served"}, {}, {"served_version": "", "served_fingerprint": ""}),
    ],
)
def test_a_resolver_finds_its_part_of_the_cache_key_without_tfx(run, tmp_path, step, parameters, kinds, found):
    output = tmp_path / "out" / "driver_output"
    saved_model = tmp_path / "minio" / "b" / "candidate" / "Format-Serving" / "saved_model.pb"
    saved_model.parent.mkdir(parents=True)
    saved_model.write_bytes(b"graph")
    inputs = {
        "parameterValues": {name: str(tmp_path / value) for name, value in parameters.items()},
        "artifacts": {"candidate": {"artifacts": [{"uri": "minio://b/candidate", "name": "7"}]}},
    }
    outputs = {"parameters": {"driver_output": {"outputFile": str(output)}}}
    spec = {"artifacts": {"candidate": {"artifactType": {"instanceSchema": "title: tfx.Model"}}}, "parameters": kinds}
    done = run("--cache_key", f"components.{step}.cache_key.find", inputs, outputs, spec, PYTHONVERBOSE="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(output.read_text()) == found
    assert not imported_by(done) & {"tensorflow", "tfx", "apache_beam"}


@pytest.mark.command
def test_code_other_than_that_compiled_is_refused_in_one_line(run):
    key = sources_key("pipeline.kubeflow.outcome")
    for flag, said in {
        f"--sources={'0' * 64}:pipeline.kubeflow.outcome": "the code in this image is not that from which",
        f"--sources={key}:pipeline.kubeflow.outcome": "'evaluation'",  # goes on, and misses its inputs
        f"--sources={key}:pipeline.kubeflow.is_gone": "the code in this image is not that from which",
    }.items():
        done = run("--outcome", None, {"artifacts": {"pushed_model": PUSHED_NOT}}, {}, NOTHING, flag)
        assert done.returncode == 1
        assert said in done.stderr.splitlines()[-1]


@pytest.mark.tfx
def test_a_blank_type_a_log_artifact_and_a_refusal(run, tmp_path):
    """DataGate with a report that was never written: its own error, in one line, and its own exit status."""
    blank = {"type": {"instanceSchema": ""}, "name": "7", "metadata": {}}
    uris = {"report": "minio://b/r/report", "anomalies": "minio://b/r/anomalies"}
    (tmp_path / "minio" / "b" / "r" / "report").mkdir(parents=True)
    inputs = {
        "artifacts": {key: {"artifacts": [{**blank, "uri": uri}]} for key, uri in uris.items()},
        "parameterValues": {
            "max_bad_fraction": 0.1, "min_images_per_class": 1.0, "drift": "{}", "push_path": "",
            "driver_output": json.dumps({"served_path": ""}),
        },
    }  # fmt: skip
    outputs = {
        "artifacts": {
            "verdict": {
                "artifacts": [{"uri": "minio://b/r/verdict", "type": {"instanceSchema": "title: effnet.DataVerdict"}}]
            },
            "executor-logs": {"artifacts": [{"uri": "minio://b/r/logs", "type": {"schemaTitle": "system.Artifact"}}]},
        }
    }
    titles = {"report": "effnet.IngestReport", "anomalies": "tfx.ExampleAnomalies"}
    spec = {
        "artifacts": {key: {"artifactType": {"instanceSchema": f"title: {title}"}} for key, title in titles.items()},
        "parameters": {"min_images_per_class": {"parameterType": "NUMBER_INTEGER"}},
    }
    done = run("--executor_class_path", "components.data_gate.executor.Executor", inputs, outputs, spec)
    assert done.returncode == 4, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert str(tmp_path / "minio" / "b" / "r" / "report") in last
    assert not (Path(tmp_path) / "out" / "metadata.json").exists()


@pytest.mark.tfx
def test_with_remote_workers_a_step_reads_and_writes_where_the_artifacts_lie(run, tmp_path):
    """A folder that no launcher mirrors stands for gs://; the launcher still finds its file in the container."""
    write_report(str(tmp_path / "bucket" / "report"), ["cat", "dog"], [], IngestSummary("/images", "f", 2, {}))
    report = {"uri": str(tmp_path / "bucket" / "report"), "type": {"instanceSchema": ""}, "name": "7"}
    schema = {"uri": str(tmp_path / "bucket" / "schema"), "type": {"instanceSchema": "title: tfx.Schema"}}
    text = (Path(__file__).parents[3] / "data" / "schema.pbtxt").read_text()
    inputs = {"artifacts": {"report": {"artifacts": [report]}}, "parameterValues": {"schema_text": text}}
    spec = {
        "artifacts": {"report": {"artifactType": {"instanceSchema": "title: effnet.IngestReport"}}},
        "parameters": {"schema_text": {"parameterType": "STRING"}},
    }
    outputs = {"artifacts": {"schema": {"artifacts": [schema]}}}
    name = "components.curated_schema.executor.Executor"
    done = run("--executor_class_path", name, inputs, outputs, spec, "--remote_artifacts")
    assert done.returncode == 0, done.stderr
    assert "dog" in (tmp_path / "bucket" / "schema" / "schema.pbtxt").read_text()
    assert (tmp_path / "bucket" / "schema.work").is_dir()
    written = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert written["artifacts"]["schema"]["artifacts"][0]["uri"] == schema["uri"]
