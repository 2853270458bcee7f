"""The servers of benchmarks/serving.py, and clients that take little of the processor that they share with them."""

import asyncio
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psutil


class Connection:
    """A client's connection that is kept."""

    def __init__(self, port: int, request: bytes):
        self._port, self._request = port, request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> float:
        """Returns the milliseconds of one request.

        Raises:
            OSError: nobody listens, or the answer is another than 200.
        """
        started = time.perf_counter()
        reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(self._request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            content = await reader.readexactly(int(length[1]) if length else 0)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the server hung up") from error
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"got {head[:30]!r}, {content[:200]!r}, expected an answer")
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        """Hangs up."""
        if self._streams:
            self._streams[1].close()


@dataclass
class Peer:
    """A server, and what was measured of it: milliseconds, requests a second, megabytes, seconds."""

    name: str
    command: list[str]
    port: int
    path: str
    body: bytes
    process: subprocess.Popen[bytes] | None = None
    start: float = 0.0
    alone: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    memory: float = 0.0

    def connect(self) -> Connection:
        """Returns a new connection."""
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return Connection(self.port, f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body)

    async def begin(self) -> None:
        """Starts it; returns with its first answer."""
        started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            client = self.connect()
            try:
                await client.ask()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - started > 300:
                    sys.exit(f"{self.name} does not start: {' '.join(self.command)}")
                await asyncio.sleep(0.02)
            finally:
                client.close()
        self.start = time.monotonic() - started

    def used(self) -> tuple[float, float]:
        """Returns its megabytes and the seconds that it had a processor, those of its children included."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        times = [one.cpu_times() for one in family]
        memory = sum(one.memory_info().rss for one in family) / 1e6
        return memory, sum(time_.user + time_.system for time_ in times)
