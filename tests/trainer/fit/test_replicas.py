"""Two devices train as one would: in a process of its own, since devices are made before TensorFlow starts."""

import os
import subprocess
import sys

import keras
import pytest

pytestmark = pytest.mark.network

SCRIPT = """
import keras, numpy as np, tensorflow as tf
from trainer.stochastic_depth import Dropout
from trainer.optimizers import AdamW, RMSprop

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
share = tf.constant([3.0, -4.0])  # of the gradient, on each device

for make in (lambda: RMSprop(0.1, global_clipnorm=1.0), lambda: AdamW(0.1, epsilon=1.0, global_clipnorm=1.0)):
    with strategy.scope():
        shared = keras.Variable(np.ones(2), dtype="float32", aggregation="mean")
        optimizer = make()
        optimizer.build([shared])
    tf.function(lambda: strategy.run(lambda: optimizer.apply([share], [shared])))()
    alone = keras.Variable(np.ones(2), dtype="float32")
    make().apply([2 * share], [alone])
    np.testing.assert_allclose(shared.numpy(), alone.numpy(), rtol=1e-6)

with strategy.scope():
    layer = Dropout(0.5, seed=1)
    layer.build((1, 1000))
masks = tf.function(lambda: strategy.run(lambda: layer(tf.ones((1, 1000)), training=True)))()
first, second = (mask.numpy() for mask in strategy.experimental_local_results(masks))
assert 0.4 < np.mean(first == second) < 0.6, np.mean(first == second)
"""


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's strategies")
def test_clipping_counts_the_whole_gradient_and_every_device_drops_its_own():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ, capture_output=True, text=True, timeout=180, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
