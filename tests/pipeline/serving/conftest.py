"""A running server, in an event loop of its own."""

import asyncio
import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.serving.server.run import Server
from pipeline.serving.server.settings import ServedFolder, ServerSettings
from tests.onnx_model import image, write_version

FAST_POLL = 0.05
PREDICT = "/v1/models/colours:predict"


class Running:
    """A server in a thread, and a client of it that knows HTTP and nothing else."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop):
        self.server, self.loop = server, loop
        self.url = f"http://127.0.0.1:{server.rest_port}"

    def send(
        self, path: str, body: object = None, headers: dict[str, str] | None = None, method: str | None = None
    ) -> tuple[int, Any]:
        """Returns status and body, parsed if it is JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content.decode()


@contextmanager
def running(settings: ServerSettings) -> Iterator[Running]:
    """Runs a server until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(settings)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        yield Running(server, loop)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def settings_for(push_path: Path, **changes: Any) -> ServerSettings:
    settings = ServerSettings((ServedFolder("colours", str(push_path)),), rest_port=0, grpc_port=0, poll=FAST_POLL)
    return replace(settings, **changes)


@pytest.fixture(scope="module")
def colours(tmp_path_factory) -> Iterator[Running]:
    """Two versions; the newest is served, the older one has a label."""
    push_path = tmp_path_factory.mktemp("served")
    write_version(push_path, 122, classes=("rot", "grün", "blau"))
    write_version(push_path, 123)
    folders = (ServedFolder("colours", str(push_path), {"german": 122}),)
    with running(settings_for(push_path, models=folders)) as server:
        yield server


def predict(server: Running, colour: str = "red") -> tuple[int, str]:
    status, answer = server.send(PREDICT, {"instances": [b64(image(colour))]})
    return status, answer["predictions"][0]["class_name"] if status == 200 else str(answer)


def wait_for(condition, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def states(server: Running) -> dict[str, str]:
    status = server.send("/v1/models/colours")[1]["model_version_status"]
    return {version["version"]: version["state"] for version in status}
