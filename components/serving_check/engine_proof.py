"""Converts the exported model for the fast engine, and proves it on every image of a split."""

import hashlib
import time
from typing import Any

import numpy as np
import tensorflow as tf

from components.common import files
from components.common.errors import one_line
from components.common.events import report_progress
from components.common.model_info import read_model_info
from components.model_exporter.formats import convert
from components.serving_check.verdict import BATCH_SIZES, summarise
from components.serving_engine.engine import OnnxEngine, warm_up
from components.serving_engine.proof import ONNX_FILE, ONNX_RUNTIME, EngineProof, failed

BATCH = 32
PROGRESS_SECONDS = 5.0
MAX_PIXELS = 2**31  # the ingest has refused what is too large
SECONDS = 10.0  # for the latency of each batch size
FEWEST = 3


def prove_engine(
    saved_model: str, records: tf.data.Dataset, tolerance: float, requests: int, folder: str
) -> EngineProof:
    """Writes the ONNX file below `folder` and holds it against the SavedModel.

    Args:
        saved_model: local folder.
        records: of scalar encoded images, as the ingest left them.
        tolerance: largest difference of a probability.
        requests: most for each batch size that the latency is measured with.
        folder: the file is kept only if the proof has no problem.
    """
    report_progress("serving: converting the model for ONNX Runtime")
    try:
        model = tf.saved_model.load(saved_model)
        content = convert(model, "onnx", ())
        engine = OnnxEngine(content, read_model_info(saved_model), MAX_PIXELS)
        images, difference = compare(model, engine, records)
    except Exception as error:  # converter and engine may fail in any way; the SavedModel can still be served
        return failed(f"the proof failed: {one_line(error)[:300]}", tolerance)
    if not images:
        return failed("there were no images to prove it on", tolerance)
    if not difference <= tolerance:
        problem = (
            f"its answers differ from the SavedModel's by {difference:.2g}, more than serving.tolerance {tolerance:g}"
        )
        return EngineProof(ONNX_RUNTIME, images, difference, tolerance, problem=problem)
    sample = [data.numpy() for data in records.take(max(BATCH_SIZES))]
    latency = summarise({str(size): measure(engine, sample, size, requests) for size in BATCH_SIZES})
    files.write_bytes(files.join(folder, ONNX_FILE), content)
    return EngineProof(ONNX_RUNTIME, images, difference, tolerance, latency, hashlib.sha256(content).hexdigest())


def compare(model: Any, engine: OnnxEngine, records: tf.data.Dataset) -> tuple[int, float]:
    """Asks both about each image; returns how many there were, and the largest difference of a probability."""
    images, difference, last = 0, 0.0, time.monotonic()
    for batch in records.batch(BATCH):
        wanted = model.classify(batch)["probabilities"].numpy()
        answers = engine.probabilities(np.stack([engine.pixels(data) for data in batch.numpy()]))
        # np.max passes NaN on, and NaN is within no tolerance.
        difference = float(np.abs(answers - wanted).max(initial=difference))
        images += len(wanted)
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            report_progress(f"serving: ONNX Runtime compared with the SavedModel on {images} images")
    return images, difference


def measure(engine: OnnxEngine, images: list[bytes], batch_size: int, requests: int) -> list[float]:
    """Returns the milliseconds of each request of `batch_size` encoded images."""
    batch = [images[index % len(images)] for index in range(batch_size)]
    warm_up(engine)
    times: list[float] = []
    until = time.monotonic() + SECONDS
    while len(times) < FEWEST or (len(times) < requests and time.monotonic() < until):
        started = time.perf_counter()
        engine.probabilities(np.stack([engine.pixels(data) for data in batch]))
        times.append((time.perf_counter() - started) * 1000)
    return times
