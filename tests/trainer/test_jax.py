"""The network on Keras' JAX backend: a process of its own, since a process has one backend."""

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.network

SCRIPT = """
import keras, numpy as np
from trainer.efficientnet import build_efficientnet, reseed, set_regularisation
from trainer.scaling import Variant

model = build_efficientnet(Variant("tiny", 0.25, 0.5, 32, 0.2), 3, seed=7)
images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("uint8")
labels = np.arange(8) % 3
model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

traces = []
layer = model.get_layer("top_activation")
call = layer.call
layer.call = lambda inputs: traces.append(1) or call(inputs)
losses, counts = [], []
for rate in (0.6, 0.6, 0.0, 0.0):
    set_regularisation(model, dropout_rate=rate, drop_connect_rate=rate)
    losses.append(float(model.train_on_batch(images, labels)))
    counts.append(len(traces))
assert counts[0] == counts[-1], counts
assert losses[0] != losses[1] and losses[2] == losses[3], losses

set_regularisation(model, dropout_rate=0.6, drop_connect_rate=0.6)
reseed(model, 7)
assert float(model.train_on_batch(images, labels)) == losses[0], losses
print("backend", keras.config.backend())
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_the_network_trains_on_jax():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "backend jax"
