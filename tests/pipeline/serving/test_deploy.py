"""What deploy/ and `effnet serve install` write is taken by Kubernetes' types, by systemd, and by the command line."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import DEFAULT_PATH
from pipeline.serving.install import serve_unit
from pipeline.systemd import InstallError
from tests.pipeline.serving.strict_types import check

DEPLOY = DEFAULT_PATH.parent / "deploy"
LOCK = (DEFAULT_PATH.parent / "requirements.lock").read_text()


def manifests(name: str) -> list[dict]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def containers() -> list[dict]:
    """Of our own image, in every manifest."""
    (deployment,) = [one for one in manifests("kubernetes.yaml") if one["kind"] == "Deployment"]
    services = [one["spec"]["predictor"] for one in manifests("kserve.yaml")]
    return [*deployment["spec"]["template"]["spec"]["containers"], *services[1]["containers"]]


@pytest.mark.parametrize("manifest", manifests("kubernetes.yaml"), ids=lambda manifest: manifest["kind"])
def test_kubernetes_knows_every_field(manifest):
    from kubernetes.client import models

    check(manifest, f"V1{manifest['kind']}", models)


def test_the_check_of_fields_finds_a_mistyped_one():
    from kubernetes.client import models

    manifest = manifests("kubernetes.yaml")[0]
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["readinessprobe"] = container.pop("readinessProbe")
    with pytest.raises(AssertionError, match=r"containers\[0\].readinessprobe is no field of V1Container"):
        check(manifest, "V1Deployment", models)


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_the_containers_arguments_are_effnets_and_its_ports_are_asked(container):
    from kubernetes.client import models

    check(container, "V1Container", models)
    command, *arguments = container["args"]
    parsed = typer.main.get_command(app).commands[command].make_context("serve", arguments)
    rest = parsed.params["port"]
    ports = {port.get("name", port["containerPort"]): port["containerPort"] for port in container["ports"]}
    probe = container["readinessProbe"]["httpGet"]
    assert (ports[probe["port"]], probe["path"]) == (rest, "/readyz")


def test_the_small_images_packages_are_in_the_lock():
    names = (DEPLOY / "serving-packages.txt").read_text().split()
    assert names == sorted(names)
    assert [name for name in names if not re.search(rf"^{re.escape(name)}==", LOCK, re.M)] == []
    assert {"tensorflow", "keras", "apache-beam", "tfx"}.isdisjoint(names)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_takes_the_unit(tmp_path):
    options = ["--model", "a b=/x%y", "--host", "0.0.0.0"]
    ((name, text),) = serve_unit("flowers", tmp_path / "pipeline.yaml", ["push.path=$HOME"], options, tmp_path).items()
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(tmp_path / name)],
        capture_output=True, text=True, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert '"a b=/x%%y"' in text
    assert '"push.path=$$HOME"' in text


@pytest.mark.parametrize(
    ("overrides", "options", "folder", "message"),
    [
        (["runners.beam=['--s3_secret_access_key=abcd1234']"], [], "x", "got a secret in"),
        ([], ["--set=runners.beam=['--s3_secret_access_key=abcd1234']"], "x", "got a secret in"),
        ([], ["--model", "m=s3://user:abcd1234@bucket/served"], "x", "got a secret in"),
        ([], ["--model", "m=/x\n[Service]\nExecStartPre=/bin/sh"], "x", "no line breaks"),
        (["name=a\rb"], [], "x", "no line breaks"),
        ([], ["--model", "m=/caf\udce9"], "x", "UTF-8"),
        ([], [], "x\nExecStartPre=/bin/sh", "no line breaks"),
    ],
)
def test_a_unit_has_no_secret_and_no_line_of_somebody_else(overrides, options, folder, message):
    with pytest.raises(InstallError, match=message) as refused:
        serve_unit("flowers", Path("/p/pipeline.yaml"), overrides, options, Path("/home") / folder)
    assert "abcd1234" not in str(refused.value)


def test_files_of_secrets_are_named_in_a_unit():
    options = ["--token-file=/etc/effnet/token", "--tls-key", "/etc/effnet/key.pem", "--tls-cert=/etc/effnet/cert.pem"]
    ((_, text),) = serve_unit("flowers", Path("/p/pipeline.yaml"), [], options, Path("/home/a\\")).items()
    assert '"--token-file=/etc/effnet/token" "--tls-key" "/etc/effnet/key.pem"' in text
    assert "\nWorkingDirectory=/home/a\\/\n" in text  # a backslash at the end would join the next line


def test_install_writes_the_unit_and_refuses_an_option_that_serve_does_not_have(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(DEFAULT_PATH, tmp_path / "pipeline.yaml")
    config = ["--config", str(tmp_path / "pipeline.yaml")]
    wrong = CliRunner().invoke(app, ["serve", "install", *config, "--prt", "9000"])
    assert wrong.exit_code == 2
    before = CliRunner().invoke(app, ["serve", "--port", "9000", "install", *config])
    assert before.exit_code == 2
    assert "got --port before install, expected it behind" in before.output
    done = CliRunner().invoke(app, ["serve", "install", *config, "--port", "9000"])
    assert done.exit_code == 0, done.output
    unit = Path(tmp_path / ".config/systemd/user/effnet-serve-quickstart.service").read_text()
    assert '"--port" "9000"' in unit
    assert "systemctl --user enable --now effnet-serve-quickstart" in done.output
