"""A webhook's receiver on this machine."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it; answers with `status`."""

    def __init__(self, password: str):
        self.posts: list[dict] = []
        self.status = 200
        self.password = password

        class Handler(http.server.BaseHTTPRequestHandler):
            server: Receiver

            def do_POST(self):
                self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(self.server.status)
                self.end_headers()

            def log_message(self, *arguments):
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://user:{self.password}@127.0.0.1:{self.server_port}/scheduled"


@contextmanager
def listening(password: str) -> Iterator[Receiver]:
    with Receiver(password) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
