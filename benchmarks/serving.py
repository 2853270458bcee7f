"""How fast `effnet serve` answers with ONNX Runtime, against the SavedModel in TensorFlow behind the same front.

    python -m benchmarks.serving SERVED_FOLDER IMAGE [--rounds 3] [--seconds 5] [--litserve PYTHON]

The servers take turns. Asked is one image a request over REST: the median and 99th percentile of one client, the
throughput of 32, the 99th percentile at 70 % of that load (requests come at random times, whether or not earlier ones
were answered), the memory, and the time from the start of the process to its first answer. On a shared machine the
processor time that a request takes says more than the time on the clock. The clients share the machine, too: they write
the same bytes again and again, and read no more of an answer than its length. --litserve names a Python with litserve,
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
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.serving_clients import Connection, Peer
from components.served_model.versions import served_path

CLIENTS = 32
LOAD = 0.7
REQUESTS, WARM_UP = 200, 20
LITSERVE = Path(__file__).with_name("litserve_peer.py")


async def measure(peers: list[Peer], rounds: int, seconds: float) -> None:
    """Lets the peers take turns."""
    for peer in peers:
        await peer.begin()
        await one_client(peer, WARM_UP)
        peer.alone.clear()
    await in_turns(peers, rounds, lambda peer: one_client(peer, REQUESTS))
    await in_turns(peers, rounds, lambda peer: many_clients(peer, seconds))
    await in_turns(peers, rounds, lambda peer: at_load(peer, seconds))
    for peer in peers:
        peer.memory, _ = peer.used()


async def in_turns(peers: list[Peer], rounds: int, use: Callable[[Peer], Awaitable[None]]) -> None:
    """Calls `use` with each peer, `rounds` times."""
    for _ in range(rounds):
        for peer in peers:
            await use(peer)


async def one_client(peer: Peer, requests: int) -> None:
    """Asks one request after the other."""
    client = peer.connect()
    peer.alone += [await client.ask() for _ in range(requests)]
    client.close()


async def many_clients(peer: Peer, seconds: float) -> None:
    """Lets 32 clients ask as fast as they are answered."""
    until, started, (_, before) = time.monotonic() + seconds, time.monotonic(), peer.used()

    async def ask() -> int:
        client, answered = peer.connect(), 0
        while time.monotonic() < until:
            await client.ask()
            answered += 1
        client.close()
        return answered

    answered = sum(await asyncio.gather(*(ask() for _ in range(CLIENTS))))
    peer.throughput.append(answered / (time.monotonic() - started))
    peer.processor.append((peer.used()[1] - before) / answered * 1000)


async def at_load(peer: Peer, seconds: float) -> None:
    """Sends requests at random times, at 70 % of the peer's own throughput."""
    rate, moments = LOAD * statistics.median(peer.throughput), random.Random(0)
    idle: list[Connection] = []

    async def ask() -> float:
        client = idle.pop() if idle else peer.connect()
        milliseconds = await client.ask()
        idle.append(client)
        return milliseconds

    jobs, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        jobs.append(asyncio.create_task(ask()))
        await asyncio.sleep(moments.expovariate(rate))
    peer.loaded += await asyncio.gather(*jobs)
    for client in idle:
        client.close()


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
        peers.append(Peer(name, command, port, "/v1/models/model:predict", body))
    if litserve:
        port = free_port()
        command = [litserve, str(LITSERVE), served_path(folder), str(port)]
        peers.append(Peer("LitServe", command, port, "/predict", json.dumps({"b64": encoded}).encode()))
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
        f"p99 : p50 at {LOAD:.0%} load": lambda peer: percentile(peer.loaded, 0.99) / statistics.median(peer.loaded),
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
