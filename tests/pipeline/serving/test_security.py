"""TLS, tokens, and the command line's refusals."""

import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest

from pipeline.serving.server.protos import get_model_status_pb2, model_service_pb2_grpc
from pipeline.serving.server.security import UnsafeSecret, allowed, read_token, tls_context, token_of
from pipeline.serving.server.settings import ServerSettings
from tests.onnx_model import write_version
from tests.pipeline.serving.conftest import running, settings_for

OPENSSL = shutil.which("openssl")


def test_a_bearer_token_is_compared_whole():
    assert allowed("", "")
    assert allowed("Bearer abc", "abc")
    assert allowed("bearer abc", "abc")
    for wrong in ("", "abc", "Basic abc", "Bearer ab", "Bearer abcd", "Bearer"):
        assert not allowed(wrong, "abc")


@pytest.mark.parametrize("content", ["", "two words", "\n"])
def test_a_token_file_without_one_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(UnsafeSecret, match="openssl rand"):
        read_token(tmp_path / "token")


def test_files_that_are_no_certificate_are_refused(tmp_path):
    (tmp_path / "cert.pem").write_text("none")
    with pytest.raises(UnsafeSecret, match="PEM files of one pair"):
        tls_context(tmp_path / "cert.pem", tmp_path / "cert.pem")


def test_a_server_beyond_loopback_warns_of_what_it_lacks():
    assert ServerSettings((), host="127.0.0.1").warnings == []
    assert len(ServerSettings((), host="0.0.0.0").warnings) == 2
    (left,) = ServerSettings((), host="0.0.0.0", token="x").warnings
    assert "--tls-cert" in left
    assert ServerSettings((), host="::", token="x", tls=(Path("c"), Path("k"))).warnings == []


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl")
def test_both_interfaces_speak_tls_and_want_the_token(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = f"{OPENSSL} req -x509 -days 2 {curve} {names} -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    write_version(tmp_path / "served", 1)
    settings = settings_for(tmp_path / "served", tls=(cert, key), token="secret")
    with running(settings) as server:
        context = ssl.create_default_context(cafile=str(cert))
        with urllib.request.urlopen(f"https://127.0.0.1:{server.server.rest_port}/readyz", context=context) as answer:
            assert answer.status == 200
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "colours"
        with grpc.secure_channel(f"localhost:{server.server.grpc_port}", credentials) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.GetModelStatus(request, timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            metadata = [("authorization", "Bearer secret")]
            assert stub.GetModelStatus(request, timeout=10, metadata=metadata).model_version_status[0].version == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "flowers"], "NAME=PATH"),
        (["--label", "stable"], "LABEL=VERSION"),
        (["--label", "stable=7"], "expected one of the versions of quickstart: 1"),
        (["--tls-cert", "x"], "got only one of"),
        (["--token-file", "/nowhere"], "cannot read the token"),
        (["--model", "flowers=/nowhere"], "effnet run"),
    ],
)
def test_a_mistyped_option_is_one_line(tmp_path, arguments, message):
    write_version(tmp_path / "served", 1)
    effnet = Path(sys.executable).with_name("effnet")
    command = [effnet, "serve", "--quick-start", "--set", f"push.path={tmp_path / 'served'}", *arguments]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env={"COLUMNS": "200"}, cwd=tmp_path
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sent", [b"Bearer caf\xe9", b"Bearer \xed\xb3\xa9", b"\xff", b"Bearer"])
def test_a_token_that_is_no_text_is_a_wrong_one(tmp_path, sent):
    write_version(tmp_path, 1)
    request = b"GET /v1/models/colours HTTP/1.1\r\nHost: x\r\nAuthorization: " + sent + b"\r\n\r\n"
    with (
        running(settings_for(tmp_path, token="secret")) as server,
        socket.create_connection(("127.0.0.1", server.server.rest_port), timeout=10) as client,
    ):
        client.sendall(request)
        assert b" 401 " in client.recv(1000)


@pytest.mark.parametrize("token", [" ", "two words", "caf\u00e9", "\udce9", "line\nbreak"])
def test_a_token_that_no_header_carries_is_refused_at_the_start(token, monkeypatch):
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(UnsafeSecret, match=r"got no token in \$TOKEN, expected one word"):
        token_of(None, "TOKEN")
    monkeypatch.setenv("TOKEN", " good\n")
    assert token_of(None, "TOKEN") == "good"
    monkeypatch.delenv("TOKEN")
    assert token_of(None, "TOKEN") == ""


def test_no_request_writes_a_line_of_its_own_into_the_log(tmp_path):
    write_version(tmp_path / "served", 1)
    forged = "x%0A2026-01-01%20GET%20forged%20200%1b[2K"
    script = """
import sys
from pathlib import Path
from pipeline.serving.server.run import log_to_stderr
from tests.pipeline.serving.conftest import running, settings_for
log_to_stderr(access=True)
with running(settings_for(Path(sys.argv[1]))) as server:
    server.send("/v1/models/" + sys.argv[2])
    server.server.registry.versions = None  # so that a request crashes, with its path in the log
    server.send("/v1/models/" + sys.argv[2])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "served"), forged]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("forged") == 3
    assert "Traceback" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith("2026-01-01")]
    assert "\x1b" not in done.stderr
