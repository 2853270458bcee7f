"""`effnet models`, `effnet rollback` and `effnet serve`, as a user types them."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from components.atomic_pusher.store import push
from components.served_model.record import PushRecord
from pipeline.cli import app
from pipeline.serving.tensorflow_serving import serving_command


@pytest.fixture
def project(tmp_path):
    """Two pushed models, and a function that runs a command on them."""
    config = tmp_path / "served"
    for name, accuracy in (("old", 0.8125), ("new", 0.9375)):
        model = tmp_path / name
        model.mkdir()
        (model / "saved_model.pb").write_text(name)
        push(str(model), str(config), PushRecord(accuracy=accuracy), keep=5)

    def effnet(*arguments: str):
        return CliRunner().invoke(app, [*arguments, "--set", f"push.path={config}"], env={"COLUMNS": "120"})

    return effnet


def test_models_shows_what_is_served_and_how_good_it_is(project):
    lines = [line for line in project("models").stdout.splitlines() if "0." in line]
    assert len(lines) == 2
    assert "served" in lines[0] and "0.9375" in lines[0]
    assert "served" not in lines[1] and "0.8125" in lines[1]


def test_rollback_serves_the_model_before_and_models_tells_of_it(project):
    done = project("rollback")
    assert done.exit_code == 0, done.output
    models = json.loads(project("models", "--json").stdout)
    assert [model["record"]["accuracy"] for model in models] == [0.8125, 0.9375, 0.8125]
    assert f"version {models[0]['version']} is now served" in done.stdout
    assert "withdrawn" in project("models").stdout


def test_before_the_first_push_each_command_says_what_to_do(tmp_path):
    for command in ("models", "rollback", "serve"):
        done = CliRunner().invoke(app, [command, "--set", f"push.path={tmp_path / 'none'}"])
        assert "effnet run" in done.stdout + str(done.exception), command


def test_serve_prints_a_docker_command_that_mounts_the_versions(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    shown = project("serve", "--engine", "tensorflow-serving", "--port", "9000").stdout
    (docker,) = [shlex.split(line) for line in shown.splitlines() if line.startswith("  docker")]
    assert "127.0.0.1:9000:8501" in docker
    assert any(part.endswith("/served:/models/quickstart:ro") for part in docker)
    assert "http://localhost:9000/v1/models/quickstart:predict" in shown


def test_an_installed_server_watches_the_folder(project, tmp_path):
    command = serving_command("flowers", str(tmp_path / "served"), "127.0.0.1", 8501, 9500, installed=True)
    assert command[0] == "tensorflow_model_server"
    assert {"--model_name=flowers", f"--model_base_path={tmp_path / 'served'}", "--port=9500"} <= set(command)


def test_tensorflow_serving_takes_a_model_and_ports_and_no_option_is_ignored(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    serve = ["serve", "--engine", "tensorflow-serving"]
    model = ["--model", f"roses={tmp_path / 'served'}"]
    shown = project(*serve, *model, "--grpc-port", "9500", "--host", "0.0.0.0").stdout
    assert f"{tmp_path / 'served'}:/models/roses:ro" in shown
    assert "0.0.0.0:9500:8500" in shown
    for option in (["--label", "stable=1"], ["--token-file", "x"], ["--max-batch", "8"], ["--quiet"]):
        refused = project(*serve, *option)
        assert refused.exit_code == 2
        assert f"got {option[0]}, which --engine tensorflow-serving does not take" in refused.output
    assert project(*serve, *model, "--model", f"more={tmp_path / 'served'}").exit_code == 2
