"""How long a built network takes to answer, on whatever device this process has."""

import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

WARM_UP = 3  # answers that are not timed: the first one traces the network
ROUNDS, REPEATS = 5, 10
PAUSE_SECONDS = 0.3  # between rounds, so that what else the machine does for a moment disturbs one of them alone
HOW_MEASURED = f"a batch of one image, the lowest of {ROUNDS} medians of {REPEATS}"
CPU_INFO = Path("/proc/cpuinfo")


def measure_latency(model: "keras.Model", batch_size: int = 1) -> float:
    """Milliseconds that a batch of black images takes, from pixels in memory to logits in memory.

    The median of each of several rounds, and of those the lowest: what else the machine does makes it slower only.
    """
    images = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
    for _ in range(WARM_UP):
        model.predict_on_batch(images)
    medians = []
    for number in range(ROUNDS):
        if number:
            time.sleep(PAUSE_SECONDS)
        medians.append(statistics.median(_seconds(model, images) for _ in range(REPEATS)))
    return min(medians) * 1000


def device_name() -> str:
    """The model of the first GPU, or of the processor where there is none."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _seconds(model: "keras.Model", images: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    model.predict_on_batch(images)
    return time.perf_counter() - started
