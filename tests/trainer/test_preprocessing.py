"""Decoding and resizing: the pixels that training and serving share."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from tests import photos
from trainer.preprocessing import central_image, decode_stored_image, preprocessing_fn, resize_image
from trainer.settings import TransformSettings

CHINA, FLOWER = load_sample_images().images  # two photos, uint8 (427, 640, 3)


def encode(pixels: np.ndarray, image_format: str) -> bytes:
    return photos.encode(Image.fromarray(pixels), image_format)


def transform(images: list[bytes], **choices) -> dict[str, tf.Tensor]:
    config = {"image_size": 64, **TransformSettings(**{"format": "png", **choices}).model_dump()}
    inputs = {"image": tf.constant(images)[:, None], "label": tf.constant([[0]] * len(images), tf.int64)}
    return preprocessing_fn(inputs, config)


def test_stored_images_have_the_asked_size_and_keep_their_labels():
    inputs = {"image": tf.constant([[encode(CHINA, "JPEG")], [encode(FLOWER, "PNG")]]), "label": [[3], [1]]}
    outputs = preprocessing_fn(inputs, {"image_size": 96, **TransformSettings(resize="squash").model_dump()})
    assert outputs["label"].numpy().tolist() == [3, 1]
    for encoded in outputs["image"]:
        assert Image.open(io.BytesIO(encoded.numpy())).size == (96, 96)
        assert decode_stored_image(encoded, 96).dtype == tf.uint8


def test_png_and_raw_keep_the_resized_pixels_and_jpeg_stays_within_three_grey_levels():
    direct = resize_image(tf.constant(CHINA), 64, "crop")
    lossless = transform([encode(CHINA, "PNG")], format="png")["image"][0]
    raw = transform([encode(CHINA, "PNG")], format="raw")["image"][0]
    lossy = transform([encode(CHINA, "PNG")], format="jpeg")["image"][0]
    np.testing.assert_array_equal(decode_stored_image(lossless, 64), direct)
    np.testing.assert_array_equal(decode_stored_image(raw, 64, "raw"), direct)
    assert len(raw.numpy()) < 64 * 64 * 3 + 30
    error = np.abs(decode_stored_image(lossy, 64).numpy().astype(int) - direct.numpy())
    assert 0 < error.mean() < 3


def test_crop_takes_the_centre_with_the_references_margin():
    marked = np.zeros((100, 200, 3), np.uint8)
    marked[:, 100 - 33 : 100 + 33] = 255  # 64 / (64 + 32) of the shorter side is 66 pixels
    assert resize_image(tf.constant(marked), 64, "crop").numpy().min() > 250
    assert resize_image(tf.constant(marked), 64, "squash").numpy().min() == 0


def test_a_margin_adds_what_the_crop_leaves_out_and_its_centre_is_the_crop():
    photo = tf.constant(FLOWER)
    wide = resize_image(photo, 64, "crop", margin=32)
    assert wide.shape == (96, 96, 3)
    whole_square = resize_image(photo[:, (640 - 427) // 2 : (640 + 427) // 2], 96, "squash")
    assert np.abs(wide.numpy().astype(int) - whole_square.numpy()).mean() < 2
    centre = central_image(wide, 64).numpy().astype(int)
    # Half a pixel of the photo at most lies between the two; a shift by one stored pixel would be 12 levels.
    assert np.abs(centre - resize_image(photo, 64, "crop").numpy()).mean() < 4


def test_pad_keeps_the_aspect_and_fills_with_black():
    padded = resize_image(tf.fill([50, 100, 3], tf.constant(255, tf.uint8)), 64, "pad").numpy()
    assert padded[:15].max() == 0 and padded[-15:].max() == 0
    assert padded[17:47].min() > 250


def test_resizing_down_is_antialiased():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    grey = resize_image(tf.constant(stripes), 64, "squash").numpy()
    assert grey.min() > 120 and grey.max() < 136


def test_grey_and_palette_images_become_rgb():
    grey = Image.fromarray(CHINA).convert("L")
    stream = io.BytesIO()
    grey.save(stream, "PNG")
    pixels = decode_stored_image(transform([stream.getvalue()])["image"][0], 64).numpy()
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="'zoom': expected crop, squash or pad"):
        resize_image(tf.constant(CHINA), 64, "zoom")
