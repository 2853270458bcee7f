"""The perceptual hash finds copies of a photograph and keeps different pictures apart."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

from components.image_example_gen.images.near_duplicates import BITS, NEAR_BITS, bands, near_pairs, perceptual_hash


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [Image.fromarray(pixels) for pixels in load_sample_images().images]


def hash_of(picture: Image.Image) -> str:
    return perceptual_hash(picture.convert("L"), lambda: picture)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.parametrize(
    "copy",
    [
        lambda photo: jpeg(photo, 50),
        lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
        lambda photo: photo.resize((photo.width, photo.height + 30)),
        lambda photo: photo.convert("P"),
        lambda photo: photo.point(lambda level: level * 9 // 10),
    ],
    ids=["recompressed", "half", "stretched", "256 colours", "darker"],
)
def test_a_copy_is_near_its_original(photos, copy):
    for photo in photos:
        assert list(near_pairs([hash_of(photo), hash_of(copy(photo))])) == [(0, 1)]


def test_different_pictures_are_not_near(photos, digits):
    pieces = [photo.crop((x, y, x + 200, y + 200)) for photo in photos for x in (0, 200, 400) for y in (0, 200)]
    scans = [Image.open(path) for path in sorted(digits.glob("*/*.png"))[::10]]
    assert list(near_pairs([hash_of(picture) for picture in (*pieces, *scans)])) == []


def test_plain_pictures_are_copies_if_they_are_of_one_colour():
    assert len({hash_of(Image.new("L", (size, 40), 90)) for size in (20, 90, 200)}) == 1
    colours = [(200 + step, 30 + step, 30 + step) for step in range(0, 24, 2)] + [(30, 180, 30), (30, 30, 200)]
    assert list(near_pairs([hash_of(Image.new("RGB", (64, 64), colour)) for colour in colours])) == []
    plain = Image.new("RGB", (64, 64), (200, 30, 30))
    assert hash_of(jpeg(plain, 95)) == hash_of(jpeg(plain, 95).resize((30, 30)))


@given(value=st.integers(0, 2**BITS - 1), flips=st.sets(st.integers(0, BITS - 1), max_size=NEAR_BITS))
def test_near_hashes_share_a_band(value, flips):
    other = value ^ sum(1 << bit for bit in flips)
    hashes = [f"{number:064x}" for number in (value, other)]
    assert set(bands(hashes[0])) & set(bands(hashes[1]))
    assert list(near_pairs(hashes)) == [(0, 1)]


def test_one_bit_more_is_not_near():
    hashes = [f"{0:064x}", np.packbits(np.arange(BITS) <= NEAR_BITS).tobytes().hex()]
    assert list(near_pairs(hashes)) == []
