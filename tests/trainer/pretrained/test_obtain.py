"""Downloads of weights from a real HTTP server on this machine, which breaks off, lies or is not there."""

import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trainer.pretrained import obtain as module
from trainer.pretrained.obtain import cache_folder, obtain

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    sends: list[int] = field(default_factory=list)  # bytes of each answer before it breaks off; then all
    status: int = 200
    resumes: bool = True
    asked: list[str] = field(default_factory=list)  # the ranges


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of `CONTENT`, an empty cache, and no pause between attempts."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range", "")
            state.asked.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and state.resumes else 0
            body = state.content[start:]
            self.send_response(state.status if state.status != 200 else 206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.sends.pop(0)] if state.sends else body)

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}/timm/tf_efficientnet_lite0.in1k/model.safetensors"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.0)
    yield state
    http.shutdown()
    http.server_close()


def left_in_cache():
    return sorted(path.name for path in cache_folder().iterdir()) if cache_folder().exists() else []


def test_a_file_is_downloaded_once(server):
    first = obtain(server.url, sha256=SHA256)
    assert first.read_bytes() == CONTENT
    assert first.suffix == ".safetensors"
    assert obtain(server.url, sha256=SHA256) == first
    assert server.asked == [""]


def test_a_broken_connection_is_resumed_where_it_was(server):
    server.sends = [300_000, 200_000]
    assert obtain(server.url, sha256=SHA256).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-", "bytes=500000-"]


def test_a_server_that_cannot_resume_sends_all_of_it_again(server):
    server.sends, server.resumes = [300_000], False
    assert obtain(server.url, sha256=SHA256).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_connection_that_keeps_breaking_off_leaves_nothing(server):
    server.sends = [1000, 1000, 1000]
    with pytest.raises(ConnectionError, match=r"ended after 3,000 of 1,048,576 bytes.*put it at .*or set the weights"):
        obtain(server.url, sha256=SHA256)
    assert left_in_cache() == []


def test_an_error_of_the_server_is_tried_again_and_a_refusal_is_not(server):
    for status, asked in ((503, 3), (404, 1)):
        server.status, server.asked = status, []
        with pytest.raises(ConnectionError, match=str(status)):
            obtain(server.url, sha256=SHA256)
        assert len(server.asked) == asked


def test_another_content_is_refused_by_its_hash(server):
    server.content = CONTENT[:-1]
    found = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(ValueError, match=f"sent 1,048,575 bytes with the sha256 {found}, expected {SHA256}"):
        obtain(server.url, sha256=SHA256)
    assert left_in_cache() == []


def test_a_damaged_file_in_the_cache_is_downloaded_anew(server):
    obtain(server.url, sha256=SHA256).write_bytes(b"cut")
    assert obtain(server.url, sha256=SHA256).read_bytes() == CONTENT


def test_without_a_network_the_message_says_where_to_put_the_file(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.0)
    with pytest.raises(ConnectionError) as error:
        obtain(f"http://me:hidden@127.0.0.1:{port}/weights.h5?token=hidden", sha256=SHA256)
    message = str(error.value)
    assert "hidden" not in message and "\n" not in message
    assert f"http://127.0.0.1:{port}/weights.h5" in message
    assert str(tmp_path / "models" / f"{SHA256}.h5") in message
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / f"{SHA256}.h5").write_bytes(CONTENT)
    assert obtain(f"http://127.0.0.1:{port}/weights.h5", sha256=SHA256).read_bytes() == CONTENT


def test_imagenet_weights_come_from_the_publisher_and_have_the_published_hash(server, monkeypatch):
    monkeypatch.setattr(module, "BASE_WEIGHTS_PATH", server.url.rpartition("timm")[0])
    with pytest.raises(ValueError, match=f"expected {module.WEIGHTS_HASHES['b4'][1]}"):
        obtain("imagenet", "b4")
    monkeypatch.setitem(module.WEIGHTS_HASHES, "b4", ("", hashlib.md5(CONTENT).hexdigest()))
    assert obtain("imagenet", "b4") == cache_folder() / "efficientnetb4_notop.h5"


def test_a_url_needs_a_hash():
    with pytest.raises(ValueError, match="weights_sha256"):
        obtain("https://example.org/weights.h5")


def test_a_local_file_is_checked_where_a_hash_is_given(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(CONTENT)
    assert obtain(str(path), sha256=SHA256) == path
    with pytest.raises(ValueError, match=f"has the SHA-256 {SHA256}, expected {'0' * 64}"):
        obtain(str(path), sha256="0" * 64)
