"""EfficientNet as a Keras model: build it, and change its regularisation and its random numbers in place.

Parameter counts, layer names and outputs equal those of keras.applications (tests/trainer/test_efficientnet.py).

    model = build_efficientnet("b0", num_classes=10)
    logits = model(images)  # images: (batch, 224, 224, 3), RGB in [0, 255]
"""

import random

import keras

from trainer.kernels import Tensor
from trainer.layers import IMAGENET_MEAN, IMAGENET_STDDEV, LITE_MEAN, LITE_STDDEV, Normalization
from trainer.mbconv_squeeze_excite import BlockSettings, activate, batch_norm, conv, layer_seed, mbconv
from trainer.scaling import Variant, get_variant, stem_filters, top_filters, unroll_blocks
from trainer.stochastic_depth import Dropout, RandomDrop, StochasticDepth

INPUT_NAME = "image"

# The classifier's initial weights are uniform up to 1 / sqrt(classes) (tensorflow/tpu efficientnet_model.py), which
# fits ImageNet's thousand. With fewer classes the bound grows, and a network of ten starts at a loss of 5 instead of
# 2.3; so fewer classes take ImageNet's bound.
INITIAL_CLASSES = 1000


def build_efficientnet(
    variant: str | Variant,
    num_classes: int | None = None,
    *,
    image_size: int | None = None,
    dropout_rate: float | None = None,
    drop_connect_rate: float = 0.2,
    batch_norm_momentum: float = 0.99,
    include_top: bool = True,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build the network with initial weights.

    Args:
        variant: "b0" to "b7", "lite0" to "lite4", or a `Variant` of one's own (`scaling.compound_variant`).
        num_classes: width of the classifier; needed with `include_top`.
        image_size: side of the input in pixels; the variant's resolution by default.
        dropout_rate: before the classifier; the variant's by default.
        drop_connect_rate: stochastic depth of the last block, growing linearly with the block's index from 0.
        batch_norm_momentum: of the moving statistics. The official .99 suits schedules of thousands of steps.
        include_top: end in the classifier; without it the model ends in the last feature map.
        seed: makes initial weights and dropout deterministic; drawn from Python's `random` by default.
        name: the model's name; "efficientnetb0" and so on by default.

    Returns:
        A model from `image`, (batch, image_size, image_size, 3) RGB in [0, 255], float32 or uint8, to float32 logits,
        (batch, num_classes); without the top to (batch, ceil(image_size / 32), ceil(image_size / 32), channels), and
        twice the side where the variant's stem does not halve.

    Raises:
        ValueError: unknown variant, a rate outside [0, 1), or no `num_classes` for the classifier.
    """
    variant = get_variant(variant)
    if include_top and (num_classes is None or num_classes < 1):
        raise ValueError(f"The classifier needs num_classes >= 1, got {num_classes}.")
    if seed is None:
        seed = random.randrange(2**31)
    side = image_size or variant.resolution
    settings = BlockSettings(drop_connect_rate, batch_norm_momentum, seed, variant.lite)
    mean, stddev = (LITE_MEAN, LITE_STDDEV) if variant.lite else (IMAGENET_MEAN, IMAGENET_STDDEV)

    inputs = keras.Input((side, side, 3), name=INPUT_NAME)
    x = Normalization(mean, stddev, name="normalization")(inputs)
    x = conv(x, stem_filters(variant), 3, "stem_conv", seed, strides=variant.stem_strides)
    x = batch_norm(x, "stem_bn", batch_norm_momentum)
    x = activate(x, "stem_activation", variant.lite)

    for block in unroll_blocks(variant):
        x = mbconv(x, block, settings)

    x = conv(x, top_filters(variant), 1, "top_conv", seed)
    x = batch_norm(x, "top_bn", batch_norm_momentum)
    x = activate(x, "top_activation", variant.lite)
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = add_classifier(x, num_classes or 0, variant.dropout_rate if dropout_rate is None else dropout_rate, seed)
    return keras.Model(inputs, x, name=name or f"efficientnet{variant.name}")


def add_classifier(features: Tensor, num_classes: int, dropout_rate: float, seed: int) -> Tensor:
    """Drop out and classify: features (batch, channels) to logits (batch, num_classes), float32."""
    x = Dropout(dropout_rate, seed=layer_seed(seed, "top_dropout"), name="top_dropout")(features)
    initial_bound = max(num_classes, INITIAL_CLASSES) ** -0.5
    return keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomUniform(
            -initial_bound, initial_bound, seed=layer_seed(seed, "predictions")
        ),
        dtype="float32",  # logits and loss keep full precision under mixed policies
        name="predictions",
    )(x)


def set_regularisation(
    model: keras.Model, *, dropout_rate: float | None = None, drop_connect_rate: float | None = None
) -> None:
    """Change the rates of a built model; steps that were traced before follow, without tracing again.

    Args:
        model: from `build_efficientnet`.
        dropout_rate: before the classifier; None leaves it as it is.
        drop_connect_rate: stochastic depth of the last block; the others follow linearly. None leaves it as it is.

    Raises:
        ValueError: a rate outside [0, 1), or a rate for a kind of dropout that the model has not.
    """
    for kind, rate in ((Dropout, dropout_rate), (StochasticDepth, drop_connect_rate)):
        if rate is None:
            continue
        layers = [layer for layer in model.layers if isinstance(layer, kind)]
        if not layers:
            raise ValueError(f"Model {model.name!r} has no {kind.__name__} layer to set to {rate}.")
        for layer in layers:
            layer.rate = rate * layer.depth_fraction if isinstance(layer, StochasticDepth) else rate


def reseed(model: keras.Model, seed: int) -> None:
    """Give every seed generator the state of a model freshly built with `seed`, in place; weights stay as they are."""
    for layer in model.layers:
        if isinstance(layer, RandomDrop):
            layer.reseed(layer_seed(seed, layer.name))
