"""How fast `effnet serve` answers with ONNX Runtime, against the SavedModel in TensorFlow behind the same front.

    python -m benchmarks.serving SERVED_FOLDER IMAGE [--rounds 3] [--seconds 5] [--litserve PYTHON]

The servers take turns. Asked is one image a request over REST: the median and 99th percentile of one client, the
throughput of 32, the 99th percentile at 70 % of that load (requests come at random times, whether or not earlier ones
were answered), the memory, and the time from the start of the process to its first answer. On a shared machine the
processor time that a request takes says more than the time on the clock. --litserve names a Python with litserve,
onnxruntime, pillow, simplejpeg and scipy: the same ONNX file and the same pixels behind LitServe.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from components.served_model.versions import served_path

CLIENTS = 32
LOAD = 0.7
REQUESTS = 200
LITSERVE = Path(__file__).with_name("litserve_peer.py")


@dataclass
class Peer:
    """A server, and what was measured of it: milliseconds, requests a second, megabytes, seconds."""

    name: str
    command: list[str]
    url: str
    body: bytes
    process: subprocess.Popen[bytes] | None = None
    start: float = 0.0
    alone: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    memory: float = 0.0

    async def begin(self, session: aiohttp.ClientSession) -> None:
        """Starts it; returns with its first answer."""
        started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                await self.ask(session)
                break
            except (aiohttp.ClientError, AssertionError):
                if self.process.poll() is not None or time.monotonic() - started > 180:
                    sys.exit(f"{self.name} does not start: {' '.join(self.command)}")
                await asyncio.sleep(0.02)
        self.start = time.monotonic() - started

    async def ask(self, session: aiohttp.ClientSession) -> float:
        """Returns the milliseconds of one request."""
        started = time.perf_counter()
        async with session.post(self.url, data=self.body, headers={"Content-Type": "application/json"}) as response:
            content = await response.read()
        assert response.status == 200, content[:200]
        return (time.perf_counter() - started) * 1000

    def used(self) -> tuple[float, float]:
        """Returns its megabytes and the seconds that it had a processor, those of its children included."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        times = [one.cpu_times() for one in family]
        memory = sum(one.memory_info().rss for one in family) / 1e6
        return memory, sum(time_.user + time_.system for time_ in times)


async def measure(peers: list[Peer], rounds: int, seconds: float) -> None:
    """Lets the peers take turns."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        for peer in peers:
            await peer.begin(session)
            for _ in range(20):
                await peer.ask(session)
        await in_turns(peers, rounds, lambda peer: one_client(peer, session))
        await in_turns(peers, rounds, lambda peer: many_clients(peer, session, seconds))
        await in_turns(peers, rounds, lambda peer: at_load(peer, session, seconds))
        for peer in peers:
            peer.memory, _ = peer.used()


async def in_turns(peers: list[Peer], rounds: int, use: Callable[[Peer], Awaitable[None]]) -> None:
    """Calls `use` with each peer, `rounds` times."""
    for _ in range(rounds):
        for peer in peers:
            await use(peer)


async def one_client(peer: Peer, session: aiohttp.ClientSession) -> None:
    """Asks one request after the other."""
    peer.alone += [await peer.ask(session) for _ in range(REQUESTS)]


async def many_clients(peer: Peer, session: aiohttp.ClientSession, seconds: float) -> None:
    """Lets 32 clients ask as fast as they are answered."""
    until, started, (_, before) = time.monotonic() + seconds, time.monotonic(), peer.used()

    async def client() -> int:
        answered = 0
        while time.monotonic() < until:
            await peer.ask(session)
            answered += 1
        return answered

    answered = sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))
    peer.throughput.append(answered / (time.monotonic() - started))
    peer.processor.append((peer.used()[1] - before) / answered * 1000)


async def at_load(peer: Peer, session: aiohttp.ClientSession, seconds: float) -> None:
    """Sends requests at random times, at 70 % of the peer's own throughput."""
    rate, moments = LOAD * statistics.median(peer.throughput), random.Random(0)
    jobs, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        jobs.append(asyncio.create_task(peer.ask(session)))
        await asyncio.sleep(moments.expovariate(rate))
    peer.loaded += await asyncio.gather(*jobs)


def percentile(values: list[float], share: float) -> float:
    """Returns the value that `share` of all are below."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_peers(folder: str, image: Path, litserve: str | None) -> list[Peer]:
    """Builds the commands."""
    encoded = base64.b64encode(image.read_bytes()).decode()
    body = json.dumps({"instances": [{"b64": encoded}]}).encode()
    effnet, peers = str(Path(sys.executable).with_name("effnet")), []
    for name, engine in (("ONNX Runtime", "onnxruntime"), ("TensorFlow", "tensorflow")):
        port = free_port()
        command = [effnet, "serve", "--model", f"model={folder}", "--engine", engine, "--quiet"]
        command += ["--port", str(port), "--grpc-port", "0"]
        peers.append(Peer(name, command, f"http://127.0.0.1:{port}/v1/models/model:predict", body))
    if litserve:
        port = free_port()
        command = [litserve, str(LITSERVE), served_path(folder), str(port)]
        peers.append(
            Peer("LitServe", command, f"http://127.0.0.1:{port}/predict", json.dumps({"b64": encoded}).encode())
        )
    return peers


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="of pushed versions, such as build/quickstart/served")
    parser.add_argument("image", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement under load")
    parser.add_argument("--litserve", help="a Python that has LitServe")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    peers = make_peers(options.folder, options.image, options.litserve)
    try:
        asyncio.run(measure(peers, options.rounds, options.seconds))
    finally:
        for peer in peers:
            if peer.process:
                peer.process.terminate()
                peer.process.wait(60)
    report(peers)


def report(peers: list[Peer]) -> None:
    """Prints the figures, and our ratio to each peer."""
    table = Table("", *(peer.name for peer in peers))
    rows: dict[str, Callable[[Peer], float]] = {
        "p50, one client, ms": lambda peer: statistics.median(peer.alone),
        "p99, one client, ms": lambda peer: percentile(peer.alone, 0.99),
        f"requests/s, {CLIENTS} clients": lambda peer: statistics.median(peer.throughput),
        "processor time a request, ms": lambda peer: statistics.median(peer.processor),
        f"p50 at {LOAD:.0%} load, ms": lambda peer: statistics.median(peer.loaded),
        f"p99 at {LOAD:.0%} load, ms": lambda peer: percentile(peer.loaded, 0.99),
        "memory, MB": lambda peer: peer.memory,
        "start to first answer, s": lambda peer: peer.start,
    }
    for name, value in rows.items():
        table.add_row(name, *(f"{value(peer):,.1f}" for peer in peers))
    Console().print(table)
    ours, *others = peers
    middle = statistics.median
    for other in others:
        ratios = {
            "p50 of one client, inverted": middle(other.alone) / middle(ours.alone),
            f"requests/s of {CLIENTS} clients": middle(ours.throughput) / middle(other.throughput),
            "processor time a request, inverted": middle(other.processor) / middle(ours.processor),
            "memory, inverted": other.memory / ours.memory,
        }
        for name, ratio in ratios.items():
            print(f"ratio={ratio:.2f} ours/{other.name}: {name}")


if __name__ == "__main__":
    main()
