"""What a server is told on its command line."""

from dataclasses import dataclass, field
from pathlib import Path

from components.serving_engine.engine import EngineName

GRPC_PORT, REST_PORT = 8500, 8501
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServedFolder:
    """A model to serve.

    Attributes:
        name: in URLs and model specs.
        path: folder of the pushed versions, local or on any storage that Beam knows.
        labels: version by label; these versions are served beside the newest one.
    """

    name: str
    path: str
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may take.

    Attributes:
        max_batch: images that the network is asked about at once.
        batch_wait: seconds that a batch waits to be filled; 0: it takes what came while the one before was answered.
        queue: images of a model that may wait; more are answered 429.
        timeout: seconds for a request.
        body_bytes: of a request.
        max_pixels: of an image.
    """

    max_batch: int = 32
    batch_wait: float = 0.0
    queue: int = 256
    timeout: float = 30.0
    body_bytes: int = 64 * 1024**2
    max_pixels: int = 50_000_000


@dataclass(frozen=True)
class ServerSettings:
    """A server.

    Attributes:
        models: the first is the one that the page shows.
        host: address that it listens on.
        rest_port: 0: any free one.
        grpc_port: 0: any free one.
        engine: see `load_engine`.
        threads: of the engine; 0: one for each core.
        limits: see `Limits`.
        poll: seconds between two looks at the folders.
        grace: seconds that requests have to end when the server stops.
        tls: certificate and key, PEM files; None: no encryption.
        token: what clients have to send as bearer token; "": nothing.
    """

    models: tuple[ServedFolder, ...]
    host: str = "127.0.0.1"
    rest_port: int = REST_PORT
    grpc_port: int = GRPC_PORT
    engine: EngineName = "auto"
    threads: int = 0
    limits: Limits = Limits()
    poll: float = 1.0
    grace: float = 30.0
    tls: tuple[Path, Path] | None = None
    token: str = ""

    @property
    def warnings(self) -> list[str]:
        """What is not safe about it, a line each."""
        if self.host in LOOPBACK:
            return []
        lines = []
        if not self.token:
            lines.append(f"anyone who reaches {self.host} may ask the model: set --token-file, or --host 127.0.0.1")
        if self.tls is None:
            lines.append("images and answers travel unencrypted: set --tls-cert and --tls-key, or put a proxy in front")
        return lines
