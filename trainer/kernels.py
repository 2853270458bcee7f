"""TensorFlow's fused kernels, behind one switch.

The network is written in Keras and runs on any of its backends. Where the backend is TensorFlow, `FUSED` is true and
the layers call the functions below, which do in one kernel what Keras' backend-neutral code does in several; elsewhere
nothing here is called and plain `keras.ops` do the work.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

FUSED = keras.config.backend() == "tensorflow"

if FUSED:
    import tensorflow as tf

Tensor = Any
"""A tensor of the running backend, or a variable where one is taken for its value; none of them has types."""

Gradient = Callable[..., Tensor | tuple[Tensor, ...]]
"""From the gradient of an output to those of the inputs."""


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
    def forward(x: Tensor) -> tuple[Tensor, Gradient]:
        gate = tf.sigmoid(x)
        y = x * gate
        return y, lambda dy: dy * (gate + (y - y * gate))

    return forward(x)


def gated_conv(x: Tensor, gate: Tensor, kernel: Tensor) -> Tensor:
    """Convolve x * gate by a 1x1 kernel, without keeping the product for the gradient.

    The product is computed again instead, for one pass over x; it is a tenth of what a training step keeps.

    Args:
        x: (batch, height, width, channels).
        gate: (batch, 1, 1, channels).
        kernel: (1, 1, channels, filters), a tensor or a variable.

    Returns:
        (batch, height, width, filters).
    """

    @tf.custom_gradient
    def forward(x: Tensor, gate: Tensor, kernel: Tensor) -> tuple[Tensor, Gradient]:
        def gradient(dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            # After dy, lest the graph's optimiser take the forward product for the second one.
            with tf.control_dependencies([dy]):
                product = x * gate
            d_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=product, filter_sizes=kernel.shape, out_backprop=dy, strides=[1, 1, 1, 1], padding="SAME"
            )
            d_product = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, strides=[1, 1, 1, 1], padding="SAME"
            )
            return d_product * gate, tf.reduce_sum(d_product * x, [1, 2], keepdims=True), d_kernel

        return tf.nn.conv2d(x * gate, kernel, 1, "SAME"), gradient

    return forward(x, gate, tf.convert_to_tensor(kernel))


def small_depthwise_conv(x: Tensor, kernel: Tensor, strides: int) -> Tensor:
    """Convolve depthwise with "same" padding where x is smaller than the kernel, for a CPU.

    For such shapes oneDNN computes the kernel's gradient by its reference code, ten times slower than TensorFlow's own
    kernel (a quarter of B0's step at 64 px). In float64, which oneDNN does not take, TensorFlow's own is called.

    Args:
        x: (batch, height, width, channels), float32.
        kernel: (size, size, channels, 1), a tensor or a variable.
        strides: along height and width.

    Returns:
        (batch, ceil(height / strides), ceil(width / strides), channels).
    """
    window = {"strides": [1, strides, strides, 1], "padding": "SAME"}

    @tf.custom_gradient
    def forward(x: Tensor, kernel: Tensor) -> tuple[Tensor, Gradient]:
        def gradient(dy: Tensor) -> tuple[Tensor, Tensor]:
            d_x = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, **window
            )
            d_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=tf.cast(x, tf.float64), filter_sizes=kernel.shape, out_backprop=tf.cast(dy, tf.float64), **window
            )
            return d_x, tf.cast(d_kernel, x.dtype)

        return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, **window), gradient

    return forward(x, tf.convert_to_tensor(kernel))


def uniform(shape: Sequence[int | Tensor], seed: Tensor) -> Tensor:
    """Draw float32 numbers in [0, 1), other ones on each replica, whose seed generators are in step.

    Args:
        shape: of the result, integers or scalar tensors.
        seed: (2,), of a Keras seed generator.
    """
    seed = tf.cast(seed, tf.int32)
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        # The second half of a Keras seed counts the calls, and hardly reaches the upper bits.
        seed += tf.stack([0, tf.cast(context.replica_id_in_sync_group, tf.int32) * 2**20])
    return tf.random.stateless_uniform(shape, seed)


def on_cpu() -> bool:
    """Return whether TensorFlow sees no GPU in this process."""
    return not tf.config.list_physical_devices("GPU")


def descend(variable: Tensor, share: Tensor, delta: Tensor) -> None:
    """Subtract share * delta from a tf.Variable of delta's shape; share is a scalar."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=share, delta=delta)
