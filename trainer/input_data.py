"""From transformed TFRecords to batches: decode, keep in memory if that is cheap, shuffle, augment, batch, prefetch."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.preprocessing import decode_stored_image

# Decoded images are cached as uint8 while a whole split stays below this; above it every epoch decodes again.
CACHE_LIMIT_BYTES = 2 * 1024**3
SHUFFLE_BUFFER = 10_000  # examples

STORED_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


def stored_examples(file_patterns: Sequence[str]) -> tf.data.Dataset:
    """Serialised tf.Examples of Transform's gzipped TFRecords, in a fixed order."""
    files = tf.data.Dataset.list_files(list(file_patterns), shuffle=False)
    return tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=tf.data.AUTOTUNE)


def count_examples(file_patterns: Sequence[str]) -> int:
    """Number of examples in all files; reads them once."""
    return int(stored_examples(file_patterns).reduce(np.int64(0), lambda total, _: total + 1).numpy())


def image_batches(
    file_patterns: Sequence[str],
    *,
    image_size: int,
    num_classes: int,
    num_examples: int,
    batch_size: int,
    training: bool,
    seed: int,
    horizontal_flip: bool = False,
    fraction: float = 1.0,
) -> tf.data.Dataset:
    """Batches of float32 images (batch, size, size, 3) in 0..255 with one-hot labels (batch, num_classes).

    Training batches are shuffled anew each epoch, augmented and all of one size, the remainder dropped; others come
    in order and whole. The same seed gives the same batches, and the same `fraction` of the examples.
    """

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stored = tf.io.parse_single_example(serialized, STORED_FEATURES)
        return decode_stored_image(stored["image"], image_size), stored["label"]

    def to_network_input(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(images, tf.float32), tf.one_hot(labels, num_classes)

    dataset = stored_examples(file_patterns)
    if fraction < 1.0:
        dataset = dataset.shuffle(min(num_examples, SHUFFLE_BUFFER), seed=seed, reshuffle_each_iteration=False)
        num_examples = max(int(num_examples * fraction), 1)
        dataset = dataset.take(num_examples)
    dataset = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    if num_examples * image_size * image_size * 3 <= CACHE_LIMIT_BYTES:
        dataset = dataset.cache()
    if training:
        dataset = dataset.shuffle(min(num_examples, SHUFFLE_BUFFER), seed=seed, reshuffle_each_iteration=True)
    if training and horizontal_flip:
        flips = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
        dataset = tf.data.Dataset.zip(dataset, flips).map(
            lambda example, flip: (tf.image.stateless_random_flip_left_right(example[0], flip), example[1]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    # A split smaller than one batch still trains: its only batch is then the remainder.
    drop_remainder = training and num_examples >= batch_size
    dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
    steps = num_examples // batch_size if drop_remainder else -(-num_examples // batch_size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.map(to_network_input, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
