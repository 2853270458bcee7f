"""Augmentation keeps range, type and labels; the seed alone decides; each operation does what its name says."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from trainer.augment import Augmenter
from trainer.randaugment import OPERATIONS, randaugment
from trainer.recipes import Augment

SIDE = 64
EVERY_KIND = {
    "crop": Augment(random_crop=0.08),
    "padded": Augment(padded_crop=0.125),
    "flip": Augment(horizontal_flip=True),
    "randaugment": Augment(randaugment_layers=2),
    "strong": Augment(randaugment_layers=3, randaugment_magnitude=28),
    "erase": Augment(erase=1.0),
    "all": Augment(random_crop=0.08, horizontal_flip=True, randaugment_layers=2, erase=0.5),
}


@pytest.fixture(scope="module")
def photo(photos):
    return tf.constant(photos(SIDE)[0])


def seeds(count: int) -> list[tf.Tensor]:
    return [tf.constant([7, number]) for number in range(count)]


def run(augment: Augment, photo, count: int) -> np.ndarray:
    """The photo augmented with different seeds, float32 (count, side, side, 3)."""
    augmenter = Augmenter(augment)
    dataset = tf.data.Dataset.from_tensor_slices(seeds(count)).map(
        lambda seed: augmenter.image(photo, seed), num_parallel_calls=4
    )
    return np.stack(list(dataset.as_numpy_iterator()))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_keeps_shape_type_and_range_and_repeats_with_its_seed(kind, photo):
    images = run(EVERY_KIND[kind], photo, 24)
    assert images.shape == (24, SIDE, SIDE, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 255
    assert len({image.tobytes() for image in images}) > 1
    np.testing.assert_array_equal(images, run(EVERY_KIND[kind], photo, 24))


def test_a_padded_crop_moves_the_image_and_mirrors_its_edge(photo):
    images = run(Augment(padded_crop=0.125), photo, 24)
    padded = np.pad(np.asarray(photo, np.float32), ((8, 8), (8, 8), (0, 0)), "symmetric")
    pieces = {padded[y : y + SIDE, x : x + SIDE].tobytes() for y in range(17) for x in range(17)}
    assert all(image.tobytes() in pieces for image in images)
    assert len({image.tobytes() for image in images}) > 12


def test_crops_reach_into_the_margin_and_all_else_sees_the_centre(photo):
    size = SIDE - 16
    marked = np.array(photo)
    marked[:8] = marked[-8:] = 255
    marked[:, :8] = marked[:, -8:] = 255
    marked[8:-8, 8:-8] = 0
    centre = Augmenter(Augment(), margin=16).image(tf.constant(marked), seeds(1)[0])
    flipped = [Augmenter(Augment(horizontal_flip=True), 16).image(tf.constant(marked), seed) for seed in seeds(4)]
    cropped = [Augmenter(Augment(random_crop=0.5), 16).image(tf.constant(marked), seed) for seed in seeds(8)]
    assert all(image.shape == (size, size, 3) for image in (centre, *flipped, *cropped))
    assert max(float(tf.reduce_max(image)) for image in (centre, *flipped)) == 0
    assert max(float(tf.reduce_max(image)) for image in cropped) > 200


def test_nothing_switched_on_leaves_the_pixels_alone(photo):
    np.testing.assert_array_equal(run(Augment(), photo, 1)[0], photo)


def test_a_flip_mirrors_about_half_of_the_images(photo):
    images = run(Augment(horizontal_flip=True), photo, 60)
    mirrored = [np.allclose(image, photo[:, ::-1], atol=0.01) for image in images]
    straight = [np.allclose(image, photo, atol=0.01) for image in images]
    assert all(a != b for a, b in zip(mirrored, straight, strict=True))
    assert 0.3 < np.mean(mirrored) < 0.7


def test_a_crop_keeps_at_least_its_share_and_stays_inside():
    # A ramp: what a crop shows of it tells its width and place.
    ramp = tf.cast(tf.tile(tf.linspace(0.0, 252.0, SIDE)[tf.newaxis, :, tf.newaxis], [SIDE, 1, 3]), tf.uint8)
    images = run(Augment(random_crop=0.25), ramp, 100)
    widths = (images[:, 0, -1, 0] - images[:, 0, 0, 0]) / 252
    assert widths.min() > np.sqrt(0.25 * 3 / 4) - 0.02
    assert widths.max() <= 1.0
    assert widths.std() > 0.1


def test_erasing_paints_one_rectangle_gray(photo):
    images = run(Augment(erase=1.0), photo, 30)
    changed = np.any(np.abs(images - np.asarray(photo, np.float32)) > 0.5, axis=-1).mean(axis=(1, 2))
    assert 0.01 < changed.mean() < 0.4
    untouched = run(Augment(erase=0.3), photo, 100) == np.asarray(photo, np.float32)
    assert 0.5 < untouched.all(axis=(1, 2, 3)).mean() < 0.9


@pytest.mark.parametrize("kind", [Augment(mixup=0.4), Augment(cutmix=1.0), Augment(mixup=0.4, cutmix=1.0)])
def test_mixed_labels_say_what_is_in_the_image(kind):
    # Class c is a uniform image of level 60 * c, so an image's mean is its label's.
    labels = np.eye(4, dtype=np.float32)[np.arange(16) % 4]
    levels = np.arange(4, dtype=np.float32) * 60
    images = np.broadcast_to((labels @ levels)[:, None, None, None], (16, SIDE, SIDE, 3)).astype(np.float32)
    augmenter = Augmenter(kind)
    dataset = tf.data.Dataset.from_tensors(tf.constant([3, 1])).map(lambda seed: augmenter.batch(images, labels, seed))
    (mixed, mixed_labels), (again, _) = (next(dataset.as_numpy_iterator()) for _ in range(2))
    np.testing.assert_allclose(np.sum(mixed_labels, axis=1), np.ones(16), rtol=1e-5)
    # A pasted piece has whole pixels; its label counts fractions.
    np.testing.assert_allclose(np.mean(mixed, axis=(1, 2, 3)), mixed_labels @ levels, atol=180 * 2 / SIDE)
    assert np.any(np.abs(mixed - images) > 1)
    np.testing.assert_array_equal(mixed, again)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("level", [-1.0, 0.5, 2.8])
def test_every_operation_returns_an_image(name, level, photo):
    pixels = tf.cast(photo, tf.float32)
    changed = OPERATIONS[name](pixels, tf.constant(level))
    assert changed.shape == pixels.shape
    assert np.isfinite(changed).all()
    blends = name in ("color", "contrast", "brightness", "sharpness") and level == 0.5  # factor 1: the image itself
    if not blends and name not in ("autocontrast", "posterize", "solarize"):
        assert not np.allclose(changed, pixels)


def test_operations_do_what_their_names_say(photo):
    pixels = tf.cast(photo, tf.float32)
    one = tf.constant(1.0)

    def apply(name: str, level: float = 1.0, image: tf.Tensor = pixels) -> np.ndarray:
        return OPERATIONS[name](image, level * one).numpy()

    np.testing.assert_allclose(apply("invert"), 255 - pixels)
    np.testing.assert_array_equal(apply("posterize"), np.asarray(photo) & 0xF0)
    mostly_white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    mostly_white[: SIDE // 4] = np.asarray(photo)[: SIDE // 4]
    for picture in (np.asarray(photo), mostly_white, np.full((SIDE, SIDE, 3), 255, np.uint8)):
        expected = ImageOps.equalize(Image.fromarray(picture))
        np.testing.assert_array_equal(apply("equalize", image=tf.cast(picture, tf.float32)), expected)
    np.testing.assert_allclose(apply("brightness", 0.5), pixels, rtol=1e-5)  # factor 1
    np.testing.assert_allclose(apply("brightness", 0.0), 0.1 * pixels, rtol=1e-5)
    np.testing.assert_allclose(apply("rotate", 0.0), pixels, atol=1e-3)
    moved = round(SIDE * 100 / 224 * 0.7 * 0.5)
    shift = moved / (SIDE * 100 / 224)
    np.testing.assert_allclose(apply("translate_x", shift)[:, :-moved], pixels[:, moved:], atol=0.01)
    np.testing.assert_allclose(apply("translate_x", shift)[:, -moved + 1 :], 128)
    np.testing.assert_allclose(apply("translate_y", -shift)[moved:], pixels[:-moved], atol=0.01)
    stretched = apply("autocontrast", image=pixels * 0.5 + 40)
    assert stretched.min(axis=(0, 1)) == pytest.approx([0, 0, 0], abs=1e-3)
    assert stretched.max(axis=(0, 1)) == pytest.approx([255, 255, 255], abs=1e-3)
    levels = np.histogram(apply("equalize")[..., 0], bins=4, range=(0, 256))[0] / SIDE**2
    np.testing.assert_allclose(levels, 0.25, atol=0.08)


def test_randaugment_draws_every_operation(photo):
    pixels = tf.cast(photo, tf.float32)
    distort = tf.function(lambda seed: randaugment(pixels, 1, 10, seed))
    assert len({distort(seed).numpy().tobytes() for seed in seeds(200)}) >= len(OPERATIONS)
