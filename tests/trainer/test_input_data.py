"""Batches from transformed TFRecords: nothing lost, nothing mixed up, the same for the same seed, from any step on."""

import numpy as np
import pytest

from tests.trainer.digits import write_records
from trainer import input_data
from trainer.input_data import Split, eval_batches, open_split, steps_per_epoch, train_batches
from trainer.recipes import Augment

NUM_EXAMPLES, SIZE = 23, 8
COUNTS = (18, 4, 1)  # examples of the classes 0, 1 and 2
LABELS = np.repeat(np.arange(3), COUNTS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two gzipped shards; image number i has level 10 * i in its left column, black elsewhere."""
    folder = tmp_path_factory.mktemp("stored")
    images = np.zeros((NUM_EXAMPLES, SIZE, SIZE, 3), np.uint8)
    images[:, :, 0] = 10 * np.arange(NUM_EXAMPLES)[:, None, None]
    for shard in range(2):
        write_records(folder / f"shard-{shard}.gz", images[shard::2], LABELS[shard::2])
    return [str(folder / "*")]


@pytest.fixture(params=["cached", "decoded anew"])
def split(stored, request, monkeypatch) -> Split:
    if request.param == "decoded anew":
        monkeypatch.setattr(input_data, "CACHE_LIMIT_BYTES", 0)
    return open_split(stored, SIZE, 3)


def seen(dataset) -> list[tuple[int, int]]:
    """(image number, label) of every example, in order."""
    return [
        (round(float(image.max()) / 10), int(np.argmax(label)))
        for images, labels, *_ in dataset
        for image, label in zip(images.numpy(), labels.numpy(), strict=True)
    ]


def training(split: Split, **options) -> list[tuple[int, int]]:
    return seen(train_batches(split, **{"batch_size": 5, "epochs": 1, "seed": 1, **options}))


def test_counts_classes_in_all_shards(split):
    assert split.class_counts == COUNTS
    assert split.num_examples == NUM_EXAMPLES
    np.testing.assert_allclose(split.class_weights * COUNTS, NUM_EXAMPLES / 3, rtol=1e-6)


def test_evaluation_sees_every_example_once_with_its_label(split):
    assert sorted(seen(eval_batches(split, 5))) == list(enumerate(LABELS))


def test_training_shuffles_anew_each_epoch_and_repeats_with_the_seed(split):
    both = training(split, epochs=2)
    size = steps_per_epoch(split, 5) * 5
    assert size == 20
    first, second = both[:size], both[size:]
    assert first != second
    for epoch in (first, second):
        assert len(set(epoch)) == len(epoch) == size
        assert set(epoch) <= set(enumerate(LABELS))
    assert training(split, epochs=2) == both
    assert training(split, epochs=2, seed=2) != both


@pytest.mark.parametrize("balance", ["none", "sampling"])
def test_who_starts_later_sees_what_comes_then(split, balance):
    options = {
        "epochs": 3,
        "augment": Augment(horizontal_flip=True, randaugment_layers=1, mixup=0.2),
        "batch_size": 5,
        "seed": 1,
        "class_balance": balance,
    }
    whole = list(train_batches(split, **options).as_numpy_iterator())
    rest = list(train_batches(split, **options, first_epoch=1, first_step=2).as_numpy_iterator())
    assert len(whole) - len(rest) == 4 + 2
    for expected, resumed in zip(whole[6:], rest, strict=True):
        np.testing.assert_array_equal(expected[0], resumed[0])
        np.testing.assert_array_equal(expected[1], resumed[1])


def test_a_fraction_is_the_same_subset_in_every_epoch(split):
    both = training(split, epochs=2, fraction=0.5, batch_size=1)
    assert len(both) == 2 * 11
    assert set(both[:11]) == set(both[11:])


def test_a_split_smaller_than_a_batch_still_trains(split):
    assert steps_per_epoch(split, 64) == 1
    assert len(training(split, batch_size=64)) == NUM_EXAMPLES


def test_sampling_draws_every_class_equally_often_and_fills_every_epoch(split):
    drawn = training(split, epochs=60, class_balance="sampling")
    assert len(drawn) == 60 * 20
    shares = np.bincount([label for _, label in drawn], minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.06)
    assert all(LABELS[number] == label for number, label in drawn)


def test_weights_go_with_the_labels(split):
    for _, labels, weights in train_batches(split, batch_size=5, epochs=1, seed=1, class_balance="weights"):
        np.testing.assert_allclose(weights, np.asarray(labels) @ split.class_weights, rtol=1e-5)
