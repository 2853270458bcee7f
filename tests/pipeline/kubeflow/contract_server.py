"""Kubeflow Pipelines' REST API as kfp_server_api's models record it, over memory: a test tool."""

import json
import re
import threading
from collections.abc import Callable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api

from tests.pipeline.kubeflow.contract_store import Refusal, Store, refuse

PREFIX = "/apis/v2beta1"

ROUTES: list[tuple[str, str, Callable]] = [
    ("GET", "/healthz", Store.health),
    ("POST", "/pipelines/upload", Store.upload),
    ("POST", "/pipelines/upload_version", Store.upload_version),
    ("GET", "/pipelines", Store.list_pipelines),
    ("GET", "/pipelines/(?P<key>[^/]+)/versions", Store.list_versions),
    ("DELETE", "/pipelines/(?P<key>[^/]+)/versions/(?P<second>[^/]+)", Store.delete_version),
    ("DELETE", "/pipelines/(?P<key>[^/]+)", Store.delete_pipeline),
    ("GET", "/experiments", Store.list_experiments),
    ("POST", "/experiments", Store.create_experiment),
    ("GET", "/runs", Store.list_runs),
    ("POST", "/runs", Store.create_run),
    ("GET", "/runs/(?P<key>[^/:]+)", Store.get_run),
    ("GET", "/apis/v1beta1/healthz", Store.health_in_full),
    ("GET", "/apis/v1beta1/runs/(?P<key>[^/:]+)", Store.get_workflow),
    ("POST", "/runs/(?P<key>[^/:]+):terminate", Store.terminate),
    ("DELETE", "/runs/(?P<key>[^/:]+)", Store.delete_run),
    ("GET", "/recurringruns", Store.list_schedules),
    ("POST", "/recurringruns", Store.create_schedule),
    ("POST", "/recurringruns/(?P<key>[^/:]+):disable", Store.disable_schedule),
    ("DELETE", "/recurringruns/(?P<key>[^/:]+)", Store.delete_schedule),
]


class ContractServer(ThreadingHTTPServer):
    """The server at `url`, in a thread of its own from `with` on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "ContractServer":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ContractServer

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        store, address = self.server.store, urlsplit(self.path)
        store.calls.append(f"{self.command} {address.path.removeprefix(PREFIX)}")
        try:
            if store.token and self.headers.get("Authorization") != f"Bearer {store.token}":
                raise refuse(401, "Request header error: token has expired")
            status, body = 200, self._result(store, address.path, address.query, content)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        answer = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _result(self, store: Store, path: str, query: str, content: bytes) -> Any:
        for method, pattern, function in ROUTES:
            match = re.fullmatch(PREFIX + pattern, path) or re.fullmatch(pattern, path)
            if match and method == self.command:
                arguments: dict[str, Any] = {"query": {key: value[0] for key, value in parse_qs(query).items()}}
                kind = self.headers.get("Content-Type", "")
                if kind.startswith("multipart/"):
                    arguments["file"] = uploaded(kind, content)
                elif content:
                    arguments["body"] = json.loads(content)
                result = function(store, **arguments, **match.groupdict())
                return api.ApiClient().sanitize_for_serialization(result) if result is not None else {}
        raise refuse(404, "Not Found")

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


def uploaded(content_type: str, content: bytes) -> str:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    (part,) = message.get_payload()
    return part.get_payload(decode=True).decode()
