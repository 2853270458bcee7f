"""The layers that Keras has not, or not fast enough: input normalisation, batch norm, convolutions, swish."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from trainer import kernels
from trainer.kernels import Tensor

Shape = tuple[int | None, ...]

# Of the images that the published weights were trained on; RGB, on a scale of 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STDDEV = (0.229, 0.224, 0.225)
# What EfficientNet-Lite sees instead, (x - 127) / 128 (tensorflow/tpu lite/efficientnet_lite_builder.py).
LITE_MEAN = (127 / 255,) * 3
LITE_STDDEV = (128 / 255,) * 3


@keras.saving.register_keras_serializable("trainer")
class Normalization(keras.layers.Layer):
    """Brings RGB of any dtype in [0, 255], (batch, height, width, 3), to float32 with ImageNet's mean 0 and variance 1.

    Other `mean` and `stddev`, on a scale of 0 to 1, are for networks that were trained on such pixels. The seven
    weights are those of the `Normalization` layer in the published weight files (mean, variance on a scale of 0 to 1,
    and an unused count), so that parameter totals agree with theirs.
    """

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, stddev: Sequence[float] = IMAGENET_STDDEV, **kwargs: object
    ) -> None:
        # In float32 under every precision policy: bfloat16 would cost the pixels their last bits.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.options = {"mean": list(mean), "stddev": list(stddev)}
        self.mean_initializer = keras.initializers.Constant(np.array(mean))
        self.variance_initializer = keras.initializers.Constant(np.square(stddev))
        self.count_initializer = keras.initializers.Zeros()

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape=shape, name="mean", initializer=self.mean_initializer, trainable=False)
        self.variance = self.add_weight(
            shape=shape, name="variance", initializer=self.variance_initializer, trainable=False
        )
        self.count = self.add_weight(
            shape=(), dtype="int", name="count", initializer=self.count_initializer, trainable=False
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Scale and shift: one multiplication and one addition a pixel."""
        inverse = ops.rsqrt(self.variance)
        return ops.cast(inputs, "float32") * (inverse / 255.0) - self.mean * inverse

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {**super().get_config(), **self.options}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable("trainer")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch norm over the last axis, computed by TensorFlow's fused kernel where that backend runs.

    Same weights, arguments and formulas, moving statistics included; these are float32 under mixed precision too.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        """Normalise (batch, height, width, channels)."""
        if not kernels.FUSED or mask is not None or not self._covered(inputs):
            return super().call(inputs, training=training, mask=mask)
        gamma, beta = self.gamma.value, self.beta.value
        moving_mean, moving_variance = self.moving_mean.value, self.moving_variance.value
        if not (training and self.trainable):
            return kernels.batch_norm_infer(inputs, gamma, beta, moving_mean, moving_variance, self.epsilon)
        outputs, mean, variance = kernels.batch_norm_train(inputs, gamma, beta, self.epsilon)
        moving_mean.assign_sub((moving_mean - mean) * (1.0 - self.momentum))
        moving_variance.assign_sub((moving_variance - variance) * (1.0 - self.momentum))
        return outputs

    def _covered(self, inputs: Tensor) -> bool:
        """Whether the kernel does what this layer is configured to do; the last is new in Keras 3.13."""
        plain = self.scale and self.center and not self.synchronized and not getattr(self, "renorm", False)
        return plain and len(inputs.shape) == 4 and self.axis in (-1, 3)


@keras.saving.register_keras_serializable("trainer")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' depthwise convolution, fast on inputs smaller than its kernel too."""

    def call(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, height, width, channels)."""
        if kernels.FUSED and kernels.on_cpu() and self._covered(inputs):
            return kernels.small_depthwise_conv(inputs, self.kernel, self.strides[0])
        return super().call(inputs)

    def _covered(self, inputs: Tensor) -> bool:
        """Whether the inputs are small, and the layer is an EfficientNet's: "same" padding and nothing but a kernel."""
        sides = inputs.shape[1:3]
        small = None not in sides and min(sides) < self.kernel_size[0]
        plain = not self.use_bias and self.activation is keras.activations.linear and self.dilation_rate == (1, 1)
        last = self.data_format == "channels_last"
        return small and plain and last and self.padding == "same" and inputs.dtype == "float32"


@keras.saving.register_keras_serializable("trainer")
class GatedConv2D(keras.layers.Conv2D):
    """1x1 convolution of gated channels, without bias.

    Takes inputs, (batch, height, width, channels), and their gate, (batch, 1, 1, channels). It is the end of
    squeeze-excitation and the projection in one, so that the gated channels need not be kept for the gradient.
    """

    def __init__(self, filters: int, kernel_initializer: object = "glorot_uniform", **kwargs: object) -> None:
        super().__init__(filters, 1, use_bias=False, kernel_initializer=kernel_initializer, **kwargs)

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        config = keras.layers.Layer.get_config(self)
        return {
            **config,
            "filters": self.filters,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def build(self, inputs_shape: Shape, gate_shape: Shape) -> None:
        """Create the kernel."""
        super().build(inputs_shape)

    def call(self, inputs: Tensor, gate: Tensor) -> Tensor:
        """Gate and convolve."""
        if not kernels.FUSED:
            return super().call(inputs * gate)
        return kernels.gated_conv(inputs, gate, self.kernel)

    def compute_output_shape(self, inputs_shape: Shape, gate_shape: Shape | None = None) -> Shape:
        """Return the inputs' shape with as many channels as there are filters."""
        shape: Shape = super().compute_output_shape(inputs_shape)
        return shape


@keras.saving.register_keras_serializable("trainer")
def swish(x: Tensor) -> Tensor:
    """Return x * sigmoid(x), as Keras' `silu` does."""
    return kernels.swish(x) if kernels.FUSED else ops.silu(x)


@keras.saving.register_keras_serializable("trainer")
def relu6(x: Tensor) -> Tensor:
    """Return x between 0 and 6."""
    return ops.relu6(x)
