"""Where a trained network looks: Grad-CAM (Selvaraju et al., arXiv 1610.02391) on an exported model.

Grad-CAM weighs each feature map by its gradient's mean. Before the last convolution, where small images need it, that
mean says little: the spots that it marks matter no more than others. There each value is weighed by its own gradient
(HiResCAM, Draelos and Carin, arXiv 2011.08891); behind the last convolution the two are one and the same, since only an
average and the classifier follow.

The exported graph holds no gradients, so the network is built again and filled with the exported variables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.model_info import read_model_info
from trainer.efficientnet import build_efficientnet
from trainer.kernels import Tensor
from trainer.settings import FORMULA, STEM_STRIDE, ModelSettings
from trainer.weights import load_weights

# The paper takes the last convolution, 7 x 7 at 224 pixels. At 64 pixels that one is 2 x 2 and shows nothing: the last
# activation that is not coarser than this stands in for it.
LEAST_SIDE = 7
BATCH_SIZE = 8


@dataclass(frozen=True)
class Explained:
    """What the network saw of images, and what of it spoke for a class.

    Attributes:
      pixels: uint8 (images, size, size, 3).
      heat: float32 (images, size, size), 0 to 1 at the spot that spoke for the class most; all 0 if nothing did.
    """

    pixels: NDArray[np.uint8]
    heat: NDArray[np.float32]


def explain(saved_model: str, images: Sequence[bytes], labels: Sequence[int]) -> Explained:
    """Grad-CAM of encoded images, each for the class with its label.

    Args:
      saved_model: local folder of a model that `export_model` wrote.
      images: encoded bytes, of one image each.
      labels: one an image.

    Raises:
      ValueError: the model's variables are not those of the network that its note names.
    """
    decode = tf.saved_model.load(saved_model).pixels
    network = rebuild(saved_model)
    pixels, heat = [], []
    for start in range(0, len(images), BATCH_SIZE):
        batch = decode(tf.constant(list(images[start : start + BATCH_SIZE])))
        pixels.append(batch.numpy())
        heat.append(heat_maps(network, tf.cast(batch, tf.float32), labels[start : start + BATCH_SIZE]))
    return Explained(np.concatenate(pixels), np.concatenate(heat))


def rebuild(saved_model: str | Path) -> keras.Model:
    """The network of an exported model, with its weights and with gradients.

    Raises:
      ValueError: the model's variables are not those of the network that its note names.
    """
    info = read_model_info(str(saved_model))
    if not info:
        raise ValueError(f"{saved_model} has no note of its network: this project did not export it")
    formula = {name: value for name, value in info.items() if name in FORMULA}
    named = formula or {"variant": info["variant"]}
    settings = ModelSettings.model_validate({**named, "stem_stride": info.get("stem_stride", STEM_STRIDE)})
    network = build_efficientnet(settings.chosen_variant, len(info["classes"]), image_size=info["image_size"], seed=0)
    loaded = load_weights(network, saved_model)
    if loaded.skipped:
        raise ValueError(loaded.skipped)
    return network


def heat_maps(network: keras.Model, images: Tensor, labels: Sequence[int]) -> NDArray[np.float32]:
    """Grad-CAM of a batch.

    Args:
      network: from images to logits.
      images: float32 (batch, size, size, 3) in [0, 255].
      labels: the class to explain, one an image.

    Returns:
      float32 (batch, size, size), 0 to 1; all 0 where nothing speaks for the class.
    """
    watched = keras.Model(network.inputs, [_watched_layer(network).output, network.output])
    with tf.GradientTape() as tape:
        features, logits = watched(images, training=False)
        scores = tf.gather(logits, tf.constant(list(labels)), batch_dims=1)
    heat = tf.nn.relu(tf.reduce_sum(tape.gradient(scores, features) * features, axis=-1, keepdims=True))
    heat = tf.image.resize(heat, images.shape[1:3], method="bilinear")[..., 0]
    scaled: NDArray[np.float32] = tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=(1, 2), keepdims=True)).numpy()
    return scaled


def _watched_layer(network: keras.Model) -> keras.Layer:
    """The last activation of the trunk whose map is fine enough."""
    trunk: list[keras.Layer] = [layer for layer in network.layers if layer.name.endswith("_activation")]
    return next((layer for layer in reversed(trunk) if layer.output.shape[1] >= LEAST_SIDE), trunk[0])
