"""Answers as a model server does; run as a script of its own, in a process that knows nothing of this project.

    python -I -S probe.py SAVED_MODEL REQUEST.json SITE_PACKAGES...

REQUEST.json holds `images` (base64), `pairs` of images that should look alike, `batch_sizes`, `requests` (most for each
batch size) and `seconds` (most for each batch size). Standard output is one JSON object: `answers`, a list of
`probabilities`, `class_id` and `class_name` for each image; `pairs`, for each the mean difference of what the network
sees of the two, 0 to 255, or why there is none; `latency_ms`, for each batch size the time of each request in
milliseconds; `memory_mb`, the largest resident size of this process. SITE_PACKAGES are where TensorFlow is: -S leaves
them out, and with them the .pth files by which a project that is being worked on is installed.
"""

import base64
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path += sys.argv[3:]

from typing import Any

import tensorflow as tf

SIGNATURE = "serving_default"
WARM_UP = 2  # the first requests allocate memory and choose kernels
FEWEST = 3


def main(saved_model: str, request_file: str) -> None:
    """Asks the model and prints what it answered, and how fast."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    images = [base64.b64decode(image) for image in request["images"]]
    model = tf.saved_model.load(saved_model)
    classify = model.signatures[SIGNATURE]
    answer = classify(image=tf.constant(images))
    answers = {
        "probabilities": answer["probabilities"].numpy().tolist(),
        "class_id": answer["class_id"].numpy().tolist(),
        "class_name": [name.decode() for name in answer["class_name"].numpy()],
    }
    pairs = [compare(model, *(base64.b64decode(image) for image in pair)) for pair in request["pairs"]]
    latency = {
        size: measure(classify, images, size, request["requests"], request["seconds"])
        for size in request["batch_sizes"]
    }
    # Linux counts in kilobytes of 1,024 bytes.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    json.dump({"answers": answers, "pairs": pairs, "latency_ms": latency, "memory_mb": memory}, sys.stdout)


def compare(model: Any, one: bytes, other: bytes) -> float | str:
    """Returns the mean difference of two images as the network sees them, in levels of 255, or why there is none."""
    try:
        seen = [tf.cast(model.pixels(tf.constant([image])), tf.float32) for image in (one, other)]
    except (AttributeError, tf.errors.OpError) as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return float(tf.reduce_mean(tf.abs(seen[0] - seen[1])))


def measure(
    classify: Callable[..., dict[str, tf.Tensor]], images: list[bytes], batch_size: int, requests: int, seconds: float
) -> list[float]:
    """Returns the milliseconds of each request of `batch_size` images; stops after `seconds`."""
    batch = tf.constant([images[index % len(images)] for index in range(batch_size)])
    for _ in range(WARM_UP):
        classify(image=batch)
    times: list[float] = []
    until = time.monotonic() + seconds
    while len(times) < FEWEST or (len(times) < requests and time.monotonic() < until):
        started = time.perf_counter()
        classify(image=batch)["probabilities"].numpy()
        times.append((time.perf_counter() - started) * 1000)
    return times


if __name__ == "__main__":
    main(*sys.argv[1:3])
