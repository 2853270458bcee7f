"""TensorFlow reads what the codec lets through, and shows what Pillow shows."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from components.image_example_gen.images.codec import EXIF_ORIENTATION, normalise_image
from components.image_example_gen.images.damage import ImageError
from tests.photos import without_adobe_marker

pytestmark = pytest.mark.tfx

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(load_sample_images().images[1])


def decode(data: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def variants(photo: Image.Image, encode):
    """(name, file, the picture that a person sees in it)."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    lossy = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}}
    for image_format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"):
        yield image_format, encode(photo, image_format, **lossy.get(image_format, {})), None
    for mode in ("L", "1", "P"):
        yield f"PNG {mode}", encode(photo.convert(mode), "PNG"), None
    yield "BMP P", encode(photo.quantize(64), "BMP"), None
    yield "progressive", encode(photo, "JPEG", progressive=True), None
    yield "turned", encode(photo, "JPEG", exif=exif), ImageOps.exif_transpose
    cmyk = encode(photo.convert("CMYK"), "JPEG", quality=95)
    yield "CMYK", cmyk, None
    yield "CMYK without marker", without_adobe_marker(cmyk), None
    layer = photo.copy()
    layer.putalpha(photo.convert("L"))
    flat = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    yield "transparent", encode(layer, "PNG"), lambda _: flat
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) << 8)
    yield "PNG 16", encode(deep, "PNG"), lambda _: photo.convert("L")
    yield "TIFF 16", encode(deep, "TIFF"), lambda _: photo.convert("L")


def test_tensorflow_shows_what_a_person_sees(photo, encode):
    for name, data, seen in variants(photo, encode):
        image = normalise_image(data, LIMIT)
        decoded = decode(image.data).astype(int)
        expected = Image.open(io.BytesIO(data))
        expected = np.asarray((seen(expected) if seen else expected).convert("RGB")).astype(int)
        assert decoded.shape == (image.height, image.width, 3) == expected.shape, name
        # Two JPEG decoders round differently, by a few levels.
        assert np.abs(decoded - expected).mean() < 1, name
        luma = np.asarray(Image.fromarray(decoded.astype(np.uint8)).convert("L")).mean() / 255
        assert image.brightness == pytest.approx(luma, abs=0.01), name


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_tensorflow_reads_every_damaged_file_that_is_let_through(photo, encode, image_format):
    whole = encode(photo.resize((32, 24)), image_format)
    random = np.random.default_rng(0)
    passed = 0
    for _ in range(1000):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] = random.integers(256)
        try:
            image = normalise_image(bytes(damaged), LIMIT)
        except ImageError:
            continue
        passed += 1
        assert decode(image.data).shape == (image.height, image.width, 3)
    assert passed
