"""How long a built network takes to answer, on whatever device this process has."""

import statistics
import time

import keras
import numpy as np

WARM_UP = 3  # answers that are not timed: the first one traces the network
REPEATS = 20  # as in the paper's Table 4


def measure_latency(model: keras.Model, batch_size: int = 1, repeats: int = REPEATS) -> float:
    """The median of the milliseconds that a batch of black images takes, from pixels in memory to logits in memory."""
    images = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
    seconds = []
    for _ in range(WARM_UP + repeats):
        started = time.perf_counter()
        model.predict_on_batch(images)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARM_UP:]) * 1000
