"""RandAugment (arXiv 1909.13719) on one image: some of fifteen operations, drawn anew for each image.

Keras' RandAugment layer computes all of its operations, keeps one for the whole batch, and draws from a variable, whose
order several threads would change. Here only the drawn operation runs, and a seed alone decides.
The operations' ranges are those of tensorflow/tpu models/official/efficientnet/autoaugment.py; magnitude 10 is the end
of a range, and greater ones go beyond. Cutout is left out: random erasing is a switch of its own.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

MAX_MAGNITUDE = 10.0
FILL = 128.0  # gray for what comes into view from outside
TRANSLATE_SHARE = 100 / 224  # the reference's 100 pixels, at B0's resolution
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # Pillow's SMOOTH filter

Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Takes an image, float32 (size, size, 3) in [0, 255], and a level, +-(magnitude / 10); returns such an image."""


def randaugment(image: tf.Tensor, layers: int, magnitude: float, seed: tf.Tensor) -> tf.Tensor:
    """Applies `layers` operations in turn, each drawn evenly from `OPERATIONS`.

    Args:
      image: float32 (size, size, 3) in [0, 255].
      layers: the paper's N.
      magnitude: the paper's M; ranges end at 10.
      seed: int (2,); decides alone what happens.
    """
    level = magnitude / MAX_MAGNITUDE
    for layer in range(layers):
        layer_seed = tf.random.experimental.stateless_fold_in(seed, layer)
        choice, sign = tf.unstack(tf.random.stateless_uniform([2], layer_seed))
        signed = tf.where(sign < 0.5, level, -level)
        branches = [partial(operation, image, signed) for operation in OPERATIONS.values()]
        changed = tf.switch_case(tf.cast(choice * len(OPERATIONS), tf.int32), branches)
        image = tf.clip_by_value(tf.ensure_shape(changed, image.shape), 0.0, 255.0)
    return image


def _project(image: tf.Tensor, rows: list[list[tf.Tensor | float]]) -> tf.Tensor:
    """Moves pixels: output (x, y) comes from ([a, b, c], [d, e, f]) x (x, y, 1), counted from the image's centre."""
    (a, b, c), (d, e, f) = rows
    centre = (image.shape[0] - 1) / 2
    # The matrix counts from the corner: from there to the centre and back.
    transform = [a, b, c + centre * (1 - a - b), d, e, f + centre * (1 - d - e), 0.0, 0.0]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=[[tf.cast(value, tf.float32) for value in transform]],
        output_shape=image.shape[:2],
        fill_value=FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]


def _rotate(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    angle = level * math.radians(30)
    return _project(image, [[tf.cos(angle), -tf.sin(angle), 0.0], [tf.sin(angle), tf.cos(angle), 0.0]])


def _blend(base: tf.Tensor, image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """From `base` (factor 0) over the image (1) to what lies beyond (2); the factor is .1 to 1.9, as in Pillow."""
    return base + (0.1 + 1.8 * tf.abs(level)) * (image - base)


def _gray(image: tf.Tensor) -> tf.Tensor:
    return tf.image.rgb_to_grayscale(image)


def _sharpness(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    kernel = np.tile(SMOOTH[:, :, np.newaxis, np.newaxis], [1, 1, 3, 1])
    padded = tf.pad(image, [[1, 1], [1, 1], [0, 0]], "SYMMETRIC")[tf.newaxis]
    return _blend(tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")[0], image, level)


def _autocontrast(image: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    low, high = tf.reduce_min(image, [0, 1]), tf.reduce_max(image, [0, 1])
    return tf.where(high > low, (image - low) * (255.0 / tf.maximum(high - low, 1.0)), image)


def _equalize(image: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    """Spreads each channel's histogram evenly, in Pillow's integer arithmetic.

    A level becomes the share of pixels below it among those below the channel's highest level, which stays white; a
    channel with too little below it stays as it is.
    """
    levels = tf.cast(image, tf.int32)
    flat = tf.transpose(tf.reshape(levels, [-1, 3]))
    histogram = tf.math.bincount(flat, minlength=256, maxlength=256, axis=-1)
    below = tf.cumsum(histogram, axis=-1, exclusive=True)
    highest = tf.gather(histogram, tf.reduce_max(flat, axis=-1), batch_dims=1)
    step = (image.shape[0] * image.shape[1] - highest)[:, tf.newaxis] // 255
    table = tf.where(step > 0, tf.minimum((below + step // 2) // tf.maximum(step, 1), 255), tf.range(256))
    spread = tf.transpose(tf.gather(table, flat, batch_dims=1))
    return tf.cast(tf.reshape(spread, image.shape), tf.float32)


def _posterize(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Keeps the upper bits of eight: all at level 0, four at 1, one at 1.75 and above."""
    step = tf.pow(2.0, tf.minimum(tf.floor(tf.abs(level) * 4.0), 7.0))
    return tf.floor(image / step) * step


def _solarize(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    return tf.where(image < 256.0 * tf.abs(level), image, 255.0 - image)


def _solarize_add(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    return tf.where(image < 128.0, image + 110.0 * tf.abs(level), image)


OPERATIONS: dict[str, Operation] = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "invert": lambda image, _: 255.0 - image,
    "rotate": _rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "color": lambda image, level: _blend(_gray(image), image, level),
    "contrast": lambda image, level: _blend(tf.reduce_mean(_gray(image)), image, level),
    "brightness": lambda image, level: _blend(tf.zeros_like(image), image, level),
    "sharpness": _sharpness,
    "shear_x": lambda image, level: _project(image, [[1.0, 0.3 * level, 0.0], [0.0, 1.0, 0.0]]),
    "shear_y": lambda image, level: _project(image, [[1.0, 0.0, 0.0], [0.3 * level, 1.0, 0.0]]),
    "translate_x": lambda image, level: _project(
        image, [[1.0, 0.0, level * TRANSLATE_SHARE * image.shape[1]], [0.0, 1.0, 0.0]]
    ),
    "translate_y": lambda image, level: _project(
        image, [[1.0, 0.0, 0.0], [0.0, 1.0, level * TRANSLATE_SHARE * image.shape[0]]]
    ),
}
