"""Augmentation of training images: random crops, flip, RandAugment, erasing; mixup and cutmix on batches.

All of it is stateless: a seed that belongs to an image, or to a batch, decides alone what happens to it. Threads may
therefore run in any order, and a training that is resumed in mid-epoch sees what it would have seen.
"""

import keras
import tensorflow as tf

from trainer.layers import IMAGENET_MEAN
from trainer.preprocessing import central_image
from trainer.randaugment import randaugment
from trainer.recipes import Augment

# Of the crop's width to its height (tensorflow/tpu efficientnet/preprocessing.py).
LEAST_ASPECT, GREATEST_ASPECT = 3 / 4, 4 / 3
# Share of each side's square that is erased: 2 to 33 % of the area on average, as in arXiv 1708.04896.
ERASED_SHARE = (0.02, 0.33)

ImageLayer = keras.layers.RandomErasing | keras.layers.MixUp | keras.layers.CutMix


class Augmenter:
    """Augments as far as `augment` says so; made outside of tf.data's functions, since Keras' layers own variables.

    Args:
      augment: what happens to images.
      margin: pixels by which the images to augment are larger than the network's, for random crops to lie in.
    """

    def __init__(self, augment: Augment, margin: int = 0) -> None:
        self.augment = augment
        self.margin = margin
        gray = [255 * level for level in IMAGENET_MEAN]
        self.erasing = keras.layers.RandomErasing((augment.erase, augment.erase), scale=ERASED_SHARE, fill_value=gray)
        mixup = [keras.layers.MixUp(augment.mixup)] if augment.mixup else []
        cutmix = [keras.layers.CutMix((augment.cutmix, augment.cutmix))] if augment.cutmix else []
        self.mixing = mixup + cutmix

    def image(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Crops, flips, distorts and erases one image, in this order.

        Args:
          image: uint8 (size + margin, size + margin, 3).
          seed: int (2,); decides alone what happens.

        Returns:
          float32 (size, size, 3) in [0, 255].
        """
        augment = self.augment
        size = image.shape[0] - self.margin
        crop_seed, distort_seed, erase_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        pixels = tf.cast(image if augment.random_crop else central_image(image, size), tf.float32)
        if augment.padded_crop:
            pad_seed = tf.random.experimental.stateless_fold_in(seed, 3)
            pixels = _pad_and_crop(pixels, round(augment.padded_crop * pixels.shape[0]), pad_seed)
        if augment.random_crop or augment.horizontal_flip:
            pixels = _crop_and_flip(pixels, augment, crop_seed, size)
        if augment.randaugment_layers:
            pixels = randaugment(pixels, augment.randaugment_layers, augment.randaugment_magnitude, distort_seed)
        if augment.erase:
            pixels = _seeded(self.erasing, {"images": pixels[tf.newaxis]}, erase_seed)["images"][0]
        return tf.ensure_shape(pixels, [size, size, 3])

    def batch(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixes each image of a batch, and its label, with another's; with both kinds on, a batch gets either.

        Args:
          images: float32 (batch, size, size, 3).
          labels: float32 (batch, classes), rows that sum to 1; so do the returned ones.
          seed: int (2,); decides alone what happens.
        """
        if not self.mixing:
            return images, labels
        choice_seed, mix_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))

        def mix(layer: ImageLayer) -> tuple[tf.Tensor, tf.Tensor]:
            mixed = _seeded(layer, {"images": images, "labels": labels}, mix_seed)
            return mixed["images"], mixed["labels"]

        choice = tf.random.stateless_uniform([], choice_seed, 0, len(self.mixing), tf.int32)
        mixed: tuple[tf.Tensor, tf.Tensor] = tf.switch_case(
            choice, [lambda layer=layer: mix(layer) for layer in self.mixing]
        )
        return mixed


def _crop_and_flip(image: tf.Tensor, augment: Augment, seed: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts out a box of random area, aspect and place, resized to `size`; a box from right to left mirrors it."""
    area, aspect, top, left, flip = tf.unstack(tf.random.stateless_uniform([5], seed))
    kept = 1.0 - area * (1.0 - (augment.random_crop or 1.0))
    log_aspect = tf.math.log(LEAST_ASPECT) + aspect * (tf.math.log(GREATEST_ASPECT) - tf.math.log(LEAST_ASPECT))
    # Where the box would be larger than the image it is cut to the image; without a crop the box is the image.
    ratio = tf.exp(log_aspect / 2) if augment.random_crop else 1.0
    width, height = tf.minimum(tf.sqrt(kept) * ratio, 1.0), tf.minimum(tf.sqrt(kept) / ratio, 1.0)
    y, x = top * (1.0 - height), left * (1.0 - width)
    near, far = x, x + width
    if augment.horizontal_flip:
        near, far = tf.unstack(tf.where(flip < 0.5, [near, far], [far, near]))
    return tf.image.crop_and_resize(image[tf.newaxis], [[y, near, y + height, far]], [0], [size, size])[0]


def _pad_and_crop(image: tf.Tensor, pad: int, seed: tf.Tensor) -> tf.Tensor:
    """Moves an image by up to `pad` pixels each way; what comes in at its edges mirrors what was there."""
    padded = tf.pad(image, [[pad, pad], [pad, pad], [0, 0]], "SYMMETRIC")
    top, left = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 2 * pad + 1, tf.int32))
    return tf.image.crop_to_bounding_box(padded, top, left, tf.shape(image)[0], tf.shape(image)[1])


class _SeedStream(keras.random.SeedGenerator):
    """A seed generator without a variable: the n-th seed follows from the first.

    Keras' layers take their random numbers from a variable, which threads advance in any order.
    """

    def __init__(self, seed: tf.Tensor) -> None:  # the base's would make the variable
        self.seed = seed
        self.drawn = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """The next seed, int (2,)."""
        self.drawn += 1
        return tf.random.experimental.stateless_fold_in(self.seed, self.drawn)


def _seeded(layer: ImageLayer, data: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Runs one of Keras' image layers on a batch with random numbers that follow from `seed`."""
    drawn = layer.get_random_transformation(data, training=True, seed=_SeedStream(seed))
    result = {"images": layer.transform_images(data["images"], drawn, training=True)}
    if "labels" in data:
        result["labels"] = layer.transform_labels(data["labels"], drawn, training=True)
    return result
