"""How many small images a second does one process read from a store on this machine, against Beam's own file system?

    python -m benchmarks.s3 [--images 400] [--endpoint http://localhost:8333]

Both read the same images of 10 kB, as the ingest does: ours by the reader of its two passes, Beam's by the file system
that it has for s3://. Without --endpoint, moto's server is started; its own time is in both figures. The keys are those
of the environment.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from components.common import files, s3
from components.image_example_gen.sources.image_bytes import Reader
from components.image_example_gen.sources.plan import ImageFile

BUCKET, BYTES, BEAMS = "benchmark-s3", 10_000, 60


def read_ours(images: Sequence[ImageFile]) -> int:
    """Reads as the ingest does; returns the bytes."""
    reader = Reader(f"s3://{BUCKET}")
    total = sum(len(answer.result()) for _, answer in reader.read(images))
    reader.close()
    return total


def read_beams(images: Sequence[ImageFile]) -> int:
    """Reads by Beam's file system."""
    total = 0
    for image in images:
        with files.storages().open(f"s3://{BUCKET}/{image.path}") as file:
            total += len(file.read())
    return total


def rate(read: Callable[[Sequence[ImageFile]], int], images: Sequence[ImageFile]) -> float:
    """Images a second."""
    read(images[:10])
    started, busy = time.perf_counter(), time.process_time()
    if read(images) != BYTES * len(images):
        raise RuntimeError("not all bytes were read")
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(f"{read.__name__}: {len(images) / seconds:.0f} images/s, {busy / len(images) * 1000:.2f} ms of CPU an image")
    return len(images) / seconds


def _wait_for(endpoint: str) -> None:
    for _ in range(3000):
        with (
            contextlib.suppress(OSError),
            socket.create_connection((urlsplit(endpoint).hostname, urlsplit(endpoint).port)),
        ):
            return
        time.sleep(0.2)
    raise RuntimeError(f"nothing answers at {endpoint}")


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--endpoint", help="of a store that runs already (default: moto's server)")
    options = parser.parse_args()
    server = None
    if not options.endpoint:
        program = Path(sys.executable).with_name("moto_server")
        server = subprocess.Popen([program, "-p", "5123"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    os.environ |= {
        "AWS_ENDPOINT_URL_S3": options.endpoint or "http://127.0.0.1:5123",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        _wait_for(options.endpoint or "http://127.0.0.1:5123")
        images = [ImageFile(f"{number}.png", BYTES, 0, "") for number in range(options.images)]
        s3.client().create_bucket(Bucket=BUCKET)
        for image in images:
            s3.client().put_object(Bucket=BUCKET, Key=image.path, Body=np.random.default_rng(0).bytes(BYTES))
        ours, beams = rate(read_ours, images), rate(read_beams, images[:BEAMS])
    finally:
        if server:
            server.kill()
            server.wait()
    print(f"ratio={ours / beams:.2f} ours/peer (images/s from s3://, against Beam's file system)")


if __name__ == "__main__":
    main()
