"""Batches from transformed TFRecords: nothing lost, nothing mixed up, the same for the same seed."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from trainer.input_data import count_examples, image_batches

NUM_EXAMPLES, SIZE = 23, 8


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two gzipped shards; image number i has level 10 * i in its left column, black elsewhere, and label i % 3."""
    folder = tmp_path_factory.mktemp("stored")
    for shard in range(2):
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        with tf.io.TFRecordWriter(str(folder / f"shard-{shard}.gz"), options) as writer:
            for number in range(shard, NUM_EXAMPLES, 2):
                stream = io.BytesIO()
                pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
                pixels[:, 0] = 10 * number
                Image.fromarray(pixels).save(stream, "PNG")
                features = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[stream.getvalue()])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 3])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return [str(folder / "*")]


def batches(stored, **options):
    choices = {"batch_size": 5, "training": False, "seed": 1} | options
    return image_batches(stored, image_size=SIZE, num_classes=3, num_examples=NUM_EXAMPLES, **choices)


def epoch(dataset):
    """(image number, label) of every example, in order."""
    return [
        (round(float(image.max()) / 10), int(np.argmax(label)))
        for images, labels in dataset
        for image, label in zip(images.numpy(), labels.numpy(), strict=True)
    ]


def test_counts_all_shards(stored):
    assert count_examples(stored) == NUM_EXAMPLES


def test_evaluation_sees_every_example_once_with_its_label(stored):
    seen = epoch(batches(stored))
    assert sorted(number for number, _ in seen) == list(range(NUM_EXAMPLES))
    assert all(label == number % 3 for number, label in seen)


def test_training_shuffles_anew_each_epoch_and_repeats_with_the_seed(stored):
    dataset = batches(stored, training=True)
    first, second = epoch(dataset), epoch(dataset)
    assert first != second
    assert len(first) == NUM_EXAMPLES // 5 * 5
    again = batches(stored, training=True)
    assert [epoch(again), epoch(again)] == [first, second]
    assert epoch(batches(stored, training=True, seed=2)) != first


def test_a_fraction_is_the_same_subset_in_every_epoch(stored):
    dataset = batches(stored, training=True, fraction=0.5, batch_size=1)
    first, second = epoch(dataset), epoch(dataset)
    assert len(first) == 11
    assert set(first) == set(second)


def test_flips_turn_about_half_of_the_images_and_keep_labels(stored):
    dataset = batches(stored, training=True, horizontal_flip=True, batch_size=1)
    turned = [bool(image[0, 0, -1, 0] > image[0, 0, 0, 0]) for image, _ in dataset.repeat(10)]
    assert 0.35 < np.mean(turned) < 0.6
    assert all(label == number % 3 for number, label in epoch(dataset))


def test_a_split_smaller_than_a_batch_still_trains(stored):
    dataset = batches(stored, training=True, batch_size=64)
    assert len(epoch(dataset)) == NUM_EXAMPLES
