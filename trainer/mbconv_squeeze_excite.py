"""The network's building blocks: convolution with batch norm, squeeze-excitation and MBConv, on symbolic tensors.

Layer names are those of keras.applications, because published weight files are read by name. Where keras.applications
has a padding layer in front of a strided convolution, here is "same" padding: for EfficientNet's strides and kernels
the two are equal, for even and odd sizes, and the padded copy is saved.
"""

import zlib
from dataclasses import dataclass

import keras

from trainer.kernels import Tensor
from trainer.layers import BatchNormalization, DepthwiseConv2D, GatedConv2D, relu6, swish
from trainer.scaling import Block
from trainer.stochastic_depth import StochasticDepth

BATCH_NORM_EPSILON = 1e-3  # tensorflow/tpu efficientnet_builder.py; also Keras' default


@dataclass(frozen=True)
class BlockSettings:
    """What all blocks of a network have in common."""

    drop_connect_rate: float  # of the network; a block gets its depth_fraction of it
    batch_norm_momentum: float
    seed: int
    lite: bool = False


def layer_seed(seed: int, name: str) -> int:
    """Derive a layer's own seed from the network's, the same on every machine and backend."""
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def conv_initializer(seed: int) -> keras.initializers.Initializer:
    """Make the kernel initialiser of every convolution: truncated normal, variance 2 / fan-out, as in Keras."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal", seed=seed)


def conv(x: Tensor, filters: int, kernel_size: int, name: str, seed: int, **kwargs: object) -> Tensor:
    """Convolve with "same" padding; the bias is off unless asked for, since batch norm follows."""
    kwargs = {"use_bias": False, **kwargs}
    initializer = conv_initializer(layer_seed(seed, name))
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", kernel_initializer=initializer, name=name, **kwargs
    )(x)


def batch_norm(x: Tensor, name: str, momentum: float) -> Tensor:
    """Normalise over the batch."""
    return BatchNormalization(momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=name)(x)


def activate(x: Tensor, name: str, lite: bool = False) -> Tensor:
    """Apply swish; in a Lite network ReLU6, whose range int8 covers without loss."""
    return keras.layers.Activation(relu6 if lite else swish, name=name)(x)


def squeeze_excite(x: Tensor, name: str, bottleneck: int, seed: int) -> Tensor:
    """Compute a gate for each channel from the means of all channels.

    Args:
        x: (batch, height, width, channels).
        name: the block's name.
        bottleneck: channels between the two 1x1 convolutions.
        seed: the network's.

    Returns:
        (batch, 1, 1, channels), between 0 and 1.
    """
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_squeeze")(x)
    gate = conv(gate, bottleneck, 1, f"{name}_se_reduce", seed, use_bias=True, activation=swish)
    gate = conv(gate, x.shape[-1], 1, f"{name}_se_expand", seed, use_bias=True)
    return keras.layers.Activation("sigmoid", name=f"{name}_se_excite")(gate)


def mbconv(inputs: Tensor, block: Block, settings: BlockSettings) -> Tensor:
    """Mobile inverted bottleneck: expand, convolve depthwise, squeeze and excite, project, and add the inputs.

    Without a `se_ratio` nothing is squeezed and excited.

    Args:
        inputs: (batch, height, width, block.args.filters_in).
        block: the block's name, sizes and place in the network.
        settings: shared by all blocks.

    Returns:
        (batch, ceil(height / strides), ceil(width / strides), block.args.filters_out).
    """
    name, args = block.name, block.args
    momentum, seed = settings.batch_norm_momentum, settings.seed

    x = inputs
    if args.expand_ratio != 1:
        x = conv(x, args.filters_in * args.expand_ratio, 1, f"{name}_expand_conv", seed)
        x = batch_norm(x, f"{name}_expand_bn", momentum)
        x = activate(x, f"{name}_expand_activation", settings.lite)

    x = DepthwiseConv2D(
        args.kernel_size,
        strides=args.strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=conv_initializer(layer_seed(seed, f"{name}_dwconv")),
        name=f"{name}_dwconv",
    )(x)
    x = batch_norm(x, f"{name}_bn", momentum)
    x = activate(x, f"{name}_activation", settings.lite)

    if args.se_ratio:
        gate = squeeze_excite(x, name, max(1, int(args.filters_in * args.se_ratio)), seed)
        x = GatedConv2D(
            args.filters_out,
            kernel_initializer=conv_initializer(layer_seed(seed, f"{name}_project_conv")),
            name=f"{name}_project_conv",
        )(x, gate)
    else:
        x = conv(x, args.filters_out, 1, f"{name}_project_conv", seed)
    x = batch_norm(x, f"{name}_project_bn", momentum)

    if args.strides == 1 and args.filters_in == args.filters_out:
        if block.depth_fraction > 0:
            x = StochasticDepth(
                settings.drop_connect_rate * block.depth_fraction,
                depth_fraction=block.depth_fraction,
                seed=layer_seed(seed, f"{name}_drop"),
                name=f"{name}_drop",
            )(x)
        x = keras.layers.Add(name=f"{name}_add")([x, inputs])
    return x
