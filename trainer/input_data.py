"""From transformed TFRecords to batches: decode, keep in memory if that is cheap, shuffle, augment, batch, prefetch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.files import expand
from trainer.augment import Augmenter
from trainer.preprocessing import central_image, decode_stored_image, image_key, store_image
from trainer.recipes import Augment
from trainer.settings import StoreOptions, TransformSettings

# Decoded images are cached as uint8 while a whole split stays below this; above it every epoch decodes again.
CACHE_LIMIT_BYTES = 2 * 1024**3
PARALLEL_READS = 8  # files at a time
SHUFFLE_BUFFER = 10_000  # examples
HASH_BUCKETS = 2**40
NO_KEY = -1  # of examples as the ingest left them, whose image still has the bytes that the key is made of
UNCHANGED = Augment()
DEFAULT_TRANSFORM = TransformSettings()

Example: TypeAlias = tf.Tensor | tuple[tf.Tensor, tf.Tensor]
"""A serialised tf.Example; of a split that is kept in memory, its image and label."""

STORED_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


@dataclass(frozen=True)
class ContentShare:
    """A share of a split's images, chosen by their bytes: copies of an image are all in it or all outside.

    By those that the ingest left: the share has the same images at whatever size they are stored.

    Args:
      low: where the share begins, 0 to 1.
      high: where it ends; the shares (0, 0.2) and (0.2, 1) cut a split in two.
      seed: another seed, another cut.
    """

    low: float
    high: float
    seed: int

    def holds(self, serialized: tf.Tensor) -> tf.Tensor:
        """Whether the image of a serialised example is in it."""
        return self.holds_keys(stored_key(serialized))

    def holds_keys(self, keys: tf.Tensor) -> tf.Tensor:
        """Whether images are in it, by their keys, int64 of any shape."""
        place = tf.strings.to_hash_bucket_strong(tf.strings.as_string(keys), HASH_BUCKETS, key=[self.seed, 0])
        return (place >= round(self.low * HASH_BUCKETS)) & (place < round(self.high * HASH_BUCKETS))


@dataclass(frozen=True)
class Split:
    """The stored images of one split.

    Args:
      file_patterns: of Transform's gzipped TFRecords.
      image_size: pixels a side that the network sees.
      class_counts: images by label.
      share: which of the images in the files it has; None: all.
      transform: how the images were stored; without `materialize` they are still to be resized.
    """

    file_patterns: tuple[str, ...]
    image_size: int
    class_counts: tuple[int, ...]
    share: ContentShare | None = None
    transform: TransformSettings = DEFAULT_TRANSFORM

    @property
    def num_classes(self) -> int:
        """The width of a one-hot label."""
        return len(self.class_counts)

    @property
    def num_examples(self) -> int:
        """Images of all classes."""
        return sum(self.class_counts)

    @property
    def class_weights(self) -> NDArray[np.float32]:
        """What makes every class weigh the same, float32 (classes,): images / (classes * images of the class)."""
        counts = np.maximum(self.class_counts, 1)
        return (self.num_examples / (self.num_classes * counts)).astype(np.float32)

    @property
    def side(self) -> int:
        """Pixels a side of the stored images, the margin for random crops included."""
        return self.image_size + self.transform.margin

    @property
    def cached(self) -> bool:
        """Whether the decoded images are kept in memory."""
        return self.num_examples * self.side**2 * 3 <= CACHE_LIMIT_BYTES


def stored_key(serialized: tf.Tensor) -> tf.Tensor:
    """What tells the image of a serialised example apart, whatever size it is stored at: int64."""
    features = {"image": STORED_FEATURES["image"], "key": tf.io.FixedLenFeature([], tf.int64, NO_KEY)}
    example = tf.io.parse_single_example(serialized, features)
    return tf.where(example["key"] == NO_KEY, image_key(example["image"]), example["key"])


def stored_examples(file_patterns: Sequence[str], share: ContentShare | None = None) -> tf.data.Dataset:
    """Serialised tf.Examples of Transform's gzipped TFRecords, in a fixed order; with `share` only its own."""
    # A number, since the order of several files' examples depends on it, and AUTOTUNE's is the machine's.
    examples = tf.data.TFRecordDataset(
        expand(file_patterns), compression_type="GZIP", num_parallel_reads=PARALLEL_READS
    )
    return examples.filter(share.holds) if share else examples


def open_split(
    file_patterns: Sequence[str],
    image_size: int,
    num_classes: int,
    share: ContentShare | None = None,
    transform: TransformSettings = DEFAULT_TRANSFORM,
) -> Split:
    """Counts a split's images by class; reads the files once, without decoding."""

    def add(counts: tf.Tensor, serialized: tf.Tensor) -> tf.Tensor:
        labels = tf.io.parse_example(serialized, {"label": STORED_FEATURES["label"]})["label"]
        return counts + tf.math.bincount(labels, minlength=num_classes, maxlength=num_classes, dtype=tf.int64)

    zeros = np.zeros(num_classes, np.int64)
    counts = stored_examples(file_patterns, share).batch(1000).reduce(zeros, add).numpy()
    return Split(tuple(file_patterns), image_size, tuple(int(count) for count in counts), share, transform)


def steps_per_epoch(split: Split, batch_size: int, fraction: float = 1.0) -> int:
    """Training steps of an epoch: whole batches only, but one where the split is smaller than a batch."""
    return max(_part(split, fraction) // batch_size, 1)


def eval_steps(split: Split, batch_size: int) -> int:
    """Batches of an evaluation, the last of which may be smaller."""
    return -(-split.num_examples // batch_size)


def eval_batches(split: Split, batch_size: int) -> tf.data.Dataset:
    """Every image once, in order: float32 (batch, size, size, 3) in [0, 255] and one-hot labels (batch, classes)."""
    read = _reader(split)

    def central(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(serialized)
        return central_image(image, split.image_size), label

    dataset = stored_examples(split.file_patterns, split.share).map(central, num_parallel_calls=tf.data.AUTOTUNE)
    if split.cached:
        dataset = dataset.cache()

    def to_network_input(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(images, tf.float32), tf.one_hot(labels, split.num_classes)

    batches = dataset.batch(batch_size).map(to_network_input, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    # Known here but not to tf.data; Keras warns of a dataset that ends unforeseen.
    return batches.apply(tf.data.experimental.assert_cardinality(eval_steps(split, batch_size)))


def keyed_batches(
    file_patterns: Sequence[str], image_size: int, transform: TransformSettings, batch_size: int
) -> tf.data.Dataset:
    """Every image once, in order: uint8 (batch, size, size, 3), its label and its key, int64 (batch,) each."""
    read = _reader(Split(tuple(file_patterns), image_size, (), transform=transform))

    def load(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image, label = read(serialized)
        return central_image(image, image_size), label, stored_key(serialized)

    examples = stored_examples(file_patterns).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def train_batches(
    split: Split,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    augment: Augment = UNCHANGED,
    class_balance: Literal["none", "weights", "sampling"] = "none",
    fraction: float = 1.0,
    first_epoch: int = 0,
    first_step: int = 0,
) -> tf.data.Dataset:
    """The batches of all epochs in a row, shuffled anew each epoch, augmented and all of one size.

    The same seed gives the same batches, also from a later epoch or step on.

    Args:
      split: the images.
      batch_size: images a batch; the whole split where that is smaller.
      epochs: how many there are in all, those before `first_epoch` included.
      seed: of the order, the augmentation and the drawing.
      augment: what happens to images.
      class_balance: `weights` adds sample weights, `sampling` draws all classes equally often.
      fraction: of the images, the same ones in every epoch.
      first_epoch: counted from 0.
      first_step: the step of `first_epoch` to start with, counted from 0.

    Returns:
      Batches of images, float32 (batch, size, size, 3) in [0, 255], and labels, (batch, classes) whose rows sum to 1;
      with `weights` also sample weights, (batch,).
    """
    num_examples = _part(split, fraction)
    batch_size = min(batch_size, num_examples)
    per_epoch = steps_per_epoch(split, batch_size, fraction) * batch_size
    read, augmenter = _reader(split), Augmenter(augment, split.transform.margin)

    source = stored_examples(split.file_patterns, split.share)
    if fraction < 1.0:
        source = source.shuffle(_buffer(split.num_examples), seed=seed, reshuffle_each_iteration=False)
        source = source.take(num_examples)
    if split.cached:
        source = source.map(read, num_parallel_calls=tf.data.AUTOTUNE).cache()

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        """(example, seed) of what is left of an epoch."""
        key = _fold([seed, 0], epoch)
        order = tf.random.stateless_uniform([], key, minval=None, maxval=None, dtype=tf.int64)
        if class_balance == "sampling":
            once = _evened(source, split, key).shuffle(_buffer(num_examples), seed=order)
            # From the start again where chance drew fewer than the epoch needs.
            examples = once.concatenate(once).take(per_epoch)
        else:
            examples = source.shuffle(_buffer(num_examples), seed=order).take(per_epoch)
        done = tf.where(epoch == first_epoch, first_step * batch_size, 0)
        numbered = examples.enumerate().skip(tf.cast(done, tf.int64))
        return numbered.map(lambda number, example: (example, _fold(key, number)))

    def augmented(example: Example, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image, label = example if split.cached else read(example)
        return augmenter.image(image, key), label, key

    def to_network_input(images: tf.Tensor, labels: tf.Tensor, keys: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The first image's seed is the batch's too; another number keeps the two apart.
        images, targets = augmenter.batch(images, tf.one_hot(labels, split.num_classes), _fold(keys[0], 1))
        if class_balance == "weights":
            return images, targets, tf.linalg.matvec(targets, split.class_weights)
        return images, targets

    return (
        tf.data.Dataset.range(first_epoch, epochs)
        .flat_map(one_epoch)
        .map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size, drop_remainder=True)
        .map(to_network_input, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def _reader(split: Split) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A function from a serialised example to its image, uint8 (side, side, 3) with the margin, and label."""
    transform = split.transform
    choices: StoreOptions = {
        "resize": transform.resize,
        "margin": transform.margin,
        "format": transform.format,
        "jpeg_quality": transform.jpeg_quality,
    }

    def read(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(serialized, STORED_FEATURES)
        stored = example["image"]
        if not split.transform.materialize:
            # Stored and decoded here as serving does it: the network sees the same pixels in both.
            stored = store_image(stored, split.image_size, choices)
        return decode_stored_image(stored, split.side, split.transform.format), example["label"]

    return read


def _evened(examples: tf.data.Dataset, split: Split, key: tf.Tensor) -> tf.data.Dataset:
    """Repeats and drops examples at random so that all classes are expected equally often, in the same total."""
    weights = tf.constant(split.class_weights)

    def copies(number: tf.Tensor, example: Example) -> tf.data.Dataset:
        label = example[1] if split.cached else tf.io.parse_single_example(example, STORED_FEATURES)["label"]
        chance = tf.random.stateless_uniform([], _fold(key, number))
        return tf.data.Dataset.from_tensors(example).repeat(tf.cast(tf.floor(weights[label] + chance), tf.int64))

    return examples.enumerate().flat_map(copies)


def _part(split: Split, fraction: float) -> int:
    return max(int(split.num_examples * fraction), 1)


def _buffer(num_examples: int) -> int:
    return min(num_examples, SHUFFLE_BUFFER)


def _fold(key: tf.Tensor | list[int], number: tf.Tensor | int) -> tf.Tensor:
    """A seed, int (2,), that follows from another and a number."""
    return tf.random.experimental.stateless_fold_in(key, number)
