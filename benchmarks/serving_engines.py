"""Which engine answers fastest on a CPU: the network in TensorFlow, in ONNX Runtime, or in LiteRT with XNNPACK?

    python -m benchmarks.serving_engines [--cores 1 2] [--networks b0:64 b0:224 b3:300] [--batches 1 8 32]

Each line of the table is of a process of its own, bound to so many cores; the engines take turns in it, with as many
threads. Asked is the network alone, pixels in and probabilities out: decoding and resizing are the same for all. Shown
are the median time of a request, and the processor time of an image, which says more on a shared machine. The weights
are random: they cost what trained ones do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

CLASSES = 10
ROUNDS, SECONDS, FEWEST = 5, 1.0, 3  # a round asks each engine for so long, and at least so often
ENGINES = ("onnxruntime", "tensorflow", "litert")
Ask = Callable[[NDArray[np.uint8]], object]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cores", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--networks", nargs="+", default=["b0:64", "b0:224", "b3:300"], metavar="VARIANT:PIXELS")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    if options.measure:
        measure(options.networks[0], options.batches[0], options.cores[0])
        return
    rows = []
    for name in options.networks:
        for cores in options.cores:
            for batch in options.batches:
                rows.append(measured(name, batch, cores))
                print(json.dumps(rows[-1]), flush=True)  # another may take long, or too much memory
    report(rows)


def measured(network: str, batch: int, cores: int) -> dict[str, Any]:
    """Returns what `measure` prints in a process of its own, bound to so many cores."""
    command = [sys.executable, "-m", "benchmarks.serving_engines", "--measure", "--networks", network]
    command += ["--batches", str(batch), "--cores", str(cores)]
    chosen = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(["taskset", "-c", chosen, *command], stdout=subprocess.PIPE, env=environment, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(network: str, batch: int, cores: int) -> None:
    """Prints the figures of `take_turns` as JSON."""
    variant, size = network.split(":")
    engines = load_engines(variant, int(size), batch, cores)
    figures = take_turns(engines, np.zeros((batch, int(size), int(size), 3), np.uint8), batch)
    print(json.dumps({"network": network, "batch": batch, "cores": cores, **figures}))


def load_engines(variant: str, size: int, batch: int, cores: int) -> dict[str, Ask]:
    """Builds a network, and converts it."""
    import tensorflow as tf

    from components.model_exporter.formats import convert
    from components.serving_engine.engine import OnnxEngine
    from trainer.efficientnet import build_efficientnet

    network = build_efficientnet(variant, CLASSES, image_size=size, seed=0)

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8, name="pixels")], autograph=False)
        def classify_pixels(self, pixels: Any) -> Any:
            return tf.nn.softmax(network(tf.cast(pixels, tf.float32), training=False))

    module = Module()
    info = {
        "classes": list(map(str, range(CLASSES))), "image_size": size, "transform.resize": "squash",
        "transform.margin": 0, "transform.format": "png", "transform.jpeg_quality": 95,
    }  # fmt: skip
    onnx = OnnxEngine(convert(module, "onnx", ()), info, size * size, cores)  # type: ignore[arg-type]
    return {
        "onnxruntime": onnx.probabilities,
        "tensorflow": lambda pixels: module.classify_pixels(tf.constant(pixels)).numpy(),
        "litert": load_litert(module, size, batch, cores),
    }


def load_litert(module: Any, size: int, batch: int, cores: int) -> Ask:
    """In float32, for one batch size; XNNPACK is what the interpreter takes by default."""
    import tensorflow as tf

    shape = tf.TensorSpec([batch, size, size, 3], tf.uint8, name="pixels")
    classify = tf.function(lambda pixels: {"probabilities": module.classify_pixels(pixels)}, input_signature=[shape])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()], module)
    interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=cores)
    interpreter.allocate_tensors()
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()

    def ask(images: NDArray[np.uint8]) -> object:
        interpreter.set_tensor(pixels["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(probabilities["index"])

    return ask


def take_turns(engines: dict[str, Ask], images: NDArray[np.uint8], batch: int) -> dict[str, list[float]]:
    """Returns by engine the median milliseconds of a request, and the processor time of an image in milliseconds."""
    clock: dict[str, list[float]] = {name: [] for name in engines}
    processor: dict[str, list[float]] = {name: [] for name in engines}
    for ask in engines.values():
        ask(images)
        ask(images)
    for _ in range(ROUNDS):
        for name, ask in engines.items():
            until, asked = time.monotonic() + SECONDS, 0
            used = time.process_time()
            while asked < FEWEST or time.monotonic() < until:
                started = time.perf_counter()
                ask(images)
                clock[name].append((time.perf_counter() - started) * 1000)
                asked += 1
            processor[name].append((time.process_time() - used) * 1000 / asked / batch)
    return {name: [statistics.median(clock[name]), statistics.median(processor[name])] for name in engines}


def report(rows: list[dict[str, Any]]) -> None:
    """Prints a table, and our engine's ratio to each other one."""
    columns = (f"{name}, {what}" for what in ("ms", "CPU ms") for name in ENGINES)
    table = Table("network", "cores", "batch", *columns)
    for row in rows:
        figures = [f"{row[name][part]:.2f}" for part in (0, 1) for name in ENGINES]
        table.add_row(row["network"], str(row["cores"]), str(row["batch"]), *figures)
    Console(width=140).print(table)
    for row in rows:
        for other in ENGINES[1:]:
            ratio = row[other][1] / row[ENGINES[0]][1]
            what = f"{row['network']}, {row['cores']} cores, batch {row['batch']}: processor time of an image, inverted"
            print(f"ratio={ratio:.2f} {ENGINES[0]}/{other}: {what}")


if __name__ == "__main__":
    main()
