"""Training steps of this project's network and of its peers, each in a process of its own, for the benchmarks to time.

    python -m benchmarks.steppers ours b0 224 32

builds the network, runs its first step and prints one line of JSON (seconds, bytes). For every line "5" on its standard
input it then runs five steps and prints their seconds. So a benchmark can keep several of them warm and let them take
turns, while the others wait without using the processor.

All train on the same kind of batch in memory (random pixels and labels, 1,000 classes), in float32, by RMSProp with
decay .9, momentum .9 and epsilon 1e-3, dropout and stochastic depth at .2 (keras.applications' own for B0).

ours          trainer.efficientnet with trainer.optimizers, set up as a training process sets it up
keras         keras.applications with keras.optimizers, in the same plain tf.function, as they come
keras-onednn  the same with oneDNN's kernels, which TensorFlow leaves off on processors without AVX-512
timm          timm's tf_efficientnet with its RMSpropTF on PyTorch, channels-last, in an environment of its own
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.torch_environment import Unavailable, torch_python

ROOT = Path(__file__).resolve().parent.parent

NUM_CLASSES = 1000
LEARNING_RATE = 1e-3
RMSPROP = {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-3}
DROP_RATE = 0.2

Step = Callable[[], float]
"""Runs one training step to its end and returns the loss."""


class Stepper:
    """A process that trains one network when asked to."""

    def __init__(self, name: str, variant: str, image_size: int, batch_size: int) -> None:
        self.name = name
        python = torch_python() if name == "timm" else sys.executable
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        if name == "keras-onednn":
            environment["TF_ENABLE_ONEDNN_OPTS"] = "1"
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.steppers", name, variant, str(image_size), str(batch_size)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.start = self._answer()
        """Seconds to build, to trace and to execute the first step, with their sum "total"."""

    def run(self, steps: int) -> dict[str, Any]:
        """Run some steps; return their "seconds" each, and the "peak_bytes" of memory so far."""
        print(steps, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(f"{self.name} ended with status {self._process.wait()}.")
        return json.loads(line)


def tensorflow_step(name: str, variant: str, image_size: int, batch_size: int) -> tuple[dict[str, float], Step]:
    """Build our network or keras.applications', and run the first step."""
    if name == "ours":
        import trainer  # noqa: F401  before TensorFlow, whose CPU kernels it chooses
    import keras
    import numpy as np
    import tensorflow as tf

    started = time.perf_counter()
    if name == "ours":
        from trainer.efficientnet import build_efficientnet
        from trainer.optimizers import RMSprop
        from trainer.runtime import prepare_cpu_process

        prepare_cpu_process()
        model = build_efficientnet(
            variant, NUM_CLASSES, image_size=image_size, dropout_rate=DROP_RATE, drop_connect_rate=DROP_RATE
        )
        optimizer = RMSprop(LEARNING_RATE, **RMSPROP)
    else:
        build = getattr(keras.applications, f"EfficientNet{variant.upper()}")
        model = build(weights=None, input_shape=(image_size, image_size, 3), classifier_activation=None)
        optimizer = keras.optimizers.RMSprop(LEARNING_RATE, **RMSPROP)
    variables = model.trainable_variables
    optimizer.build(variables)
    built = time.perf_counter()

    @tf.function(jit_compile=False)  # XLA makes either network's step five times slower on a CPU
    def train(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(0, 255, (batch_size, image_size, image_size, 3)), tf.float32)
    labels = tf.constant(rng.integers(0, NUM_CLASSES, batch_size))
    before = time.perf_counter()
    train.get_concrete_function(images, labels)
    traced = time.perf_counter()
    float(train(images, labels))
    executed = time.perf_counter()
    seconds = {"build": built - started, "trace": traced - before, "execute": executed - traced}
    return seconds, lambda: float(train(images, labels))


def timm_step(variant: str, image_size: int, batch_size: int) -> tuple[dict[str, float], Step]:
    """Build timm's network, and run the first step; PyTorch traces nothing."""
    from benchmarks.torchvision_stub import install

    install()
    import timm
    import torch
    from timm.optim import RMSpropTF

    started = time.perf_counter()
    model = timm.create_model(f"tf_efficientnet_{variant}", drop_rate=DROP_RATE, drop_path_rate=DROP_RATE)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = RMSpropTF(
        model.parameters(), LEARNING_RATE, alpha=RMSPROP["rho"], momentum=RMSPROP["momentum"], eps=RMSPROP["epsilon"]
    )
    built = time.perf_counter()
    images = torch.randn(batch_size, 3, image_size, image_size).to(memory_format=torch.channels_last)
    labels = torch.randint(NUM_CLASSES, (batch_size,))

    def train() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    before = time.perf_counter()
    train()
    return {"build": built - started, "trace": 0.0, "execute": time.perf_counter() - before}, train


def main() -> None:
    """Serve steps on standard input and output."""
    answers, sys.stdout = sys.stdout, sys.stderr  # timm's imports print there
    name, variant, image_size, batch_size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if name == "timm":
        seconds, step = timm_step(variant, image_size, batch_size)
    else:
        seconds, step = tensorflow_step(name, variant, image_size, batch_size)
    print(json.dumps({**seconds, "total": sum(seconds.values())}), file=answers, flush=True)
    for line in sys.stdin:
        durations = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            step()
            durations.append(time.perf_counter() - begin)
        # Linux gives the peak in KiB.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": durations, "peak_bytes": peak}), file=answers, flush=True)


if __name__ == "__main__":
    main()
