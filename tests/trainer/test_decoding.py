"""Who sends a photo's bytes to the served model gets the answer for the picture that the ingest saw."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from components.image_example_gen.images import orientation as ingest
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.samples import eight_bit, without_transparency
from tests.photos import chunk, encode, exif, png, segment, with_chunk, with_segments, without_adobe_marker
from trainer import orientation
from trainer.decoding import decode_photo
from trainer.preprocessing import resize_image

LIMIT = 1_000_000
STRING = tf.TensorSpec([], tf.string)
PHOTO = Image.fromarray(load_sample_images().images[1]).resize((96, 64))
RANDOM = np.random.default_rng(0)
decode = tf.function(decode_photo, input_signature=[STRING], autograph=False)
read = tf.function(orientation.read_orientation, input_signature=[STRING], autograph=False)
ICC = [segment(0xE2, b"ICC_PROFILE\0" + RANDOM.bytes(65_000)) for _ in range(3)]


def seen(data: bytes) -> np.ndarray:
    """What the ingest takes for the picture."""
    picture = eight_bit(Image.open(io.BytesIO(normalise_image(data, LIMIT).data)))  # Pillow clips 16 bits at 255
    return np.asarray(without_transparency(picture).convert("RGB")).astype(int)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_turned_photo_is_set_upright(image_format, number, order):
    data = encode(PHOTO, image_format, exif=exif(number, order))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
    decoded = decode(data).numpy()
    assert decoded.shape == upright.shape
    # Two JPEG decoders round differently.
    assert np.abs(decoded - upright).mean() < (1 if image_format == "JPEG" else 1e-9)
    assert np.abs(decoded - seen(data)).mean() < 1


JPEG = encode(PHOTO, "JPEG")
TURNED = segment(0xE1, b"Exif\0\0" + exif(6).removeprefix(b"Exif\0\0"))
NOTE = chunk(b"eXIf", exif(8, ">").removeprefix(b"Exif\0\0"))


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (with_segments(JPEG, *ICC, TURNED), 6),
        (with_segments(JPEG, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), TURNED), 6),
        (with_segments(JPEG, segment(0xFE, b"a comment"), b"stray", b"\xff\xff", TURNED), 6),
        (with_segments(JPEG, segment(0xFE, b""), bytes(5000), TURNED), 6),
        (with_segments(JPEG, TURNED, segment(0xE1, b"Exif\0\0" + exif(3).removeprefix(b"Exif\0\0"))), 6),
        (with_chunk(encode(PHOTO, "PNG"), NOTE), 8),
        (with_chunk(encode(PHOTO, "PNG"), NOTE, at_the_end=True), 8),
        (with_chunk(encode(PHOTO, "PNG"), NOTE[:-4] + b"\0\0\0\0"), 8),  # no reader's checksum fails over a note
        (with_segments(JPEG, segment(0xE1, b"Exif\0\0no such thing")), 1),
        (with_segments(JPEG, segment(0xE1, b"Exif\0\0")), 1),
        (JPEG + TURNED, 1),  # behind the end
        (encode(PHOTO, "GIF"), 1),
    ],
)
def test_the_first_note_counts_wherever_it_lies(data, number):
    assert read(data).numpy() == ingest.read_orientation(data) == number
    assert decode(data).shape[:2] == ((96, 64) if number > 4 else (64, 96))


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_is_none_leaves_the_picture(value):
    data = with_segments(JPEG, segment(0xE1, b"Exif\0\0" + exif(value).removeprefix(b"Exif\0\0")))
    np.testing.assert_array_equal(decode(data), decode(JPEG))


WHOLE = [encode(PHOTO, image_format, exif=exif(number, order)) for image_format, number, order in
         [("JPEG", 6, "<"), ("JPEG", 3, ">"), ("PNG", 8, "<"), ("PNG", 5, ">")]]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(
    whole=st.sampled_from(WHOLE),
    edits=st.lists(
        st.tuples(st.integers(0, 240), st.integers(0, 8), st.sampled_from([b"", b"\0", b"\1", b"\xff", b"\xff\xe1\0"])),
        max_size=3,
    ),
    length=st.integers(0, 400) | st.none(),
)
def test_a_damaged_header_never_fails_and_is_read_as_the_ingest_reads_it(whole, edits, length):
    data = whole[:length]
    for place, removed, put in edits:
        data = data[:place] + put + data[place + removed :]
    assert read(data).numpy() == ingest.read_orientation(data)


def test_both_readers_have_the_same_limits():
    for limit in ("SEGMENTS", "WINDOW", "CHUNKS", "EXIF_BYTES"):
        assert getattr(ingest, limit) == getattr(orientation, limit)
    assert ingest.PNG_SIGNATURE == orientation.PNG_SIGNATURE


LAYER = PHOTO.copy()
LAYER.putalpha(Image.fromarray(RANDOM.integers(0, 256, (64, 96), np.uint8)))
GRAY = np.asarray(PHOTO.convert("L")).astype(int)
INKS = encode(PHOTO.convert("CMYK"), "JPEG", quality=95)
KEY = int(GRAY[0, 0])


@pytest.mark.parametrize(
    "data",
    [
        encode(PHOTO.quantize(32), "GIF"),
        encode(PHOTO, "BMP"),
        encode(PHOTO.convert("L"), "JPEG"),
        INKS,
        without_adobe_marker(INKS),
        encode(LAYER, "PNG"),
        encode(LAYER.convert("LA"), "PNG"),
        encode(PHOTO.quantize(32), "PNG", transparency=3),
        encode(PHOTO.convert("1"), "PNG"),
        encode(PHOTO.quantize(4), "PNG"),
        png(GRAY >> 6, 2, 0),
        png(GRAY >> 4, 4, 0),
        png(GRAY, 8, 0, chunk(b"tRNS", bytes([0, KEY]))),
        *(png(GRAY << (depth - 8), 16, 0) for depth in (8, 10, 12, 16)),
        png(GRAY * 257, 16, 0, chunk(b"tRNS", (KEY * 257).to_bytes(2, "big"))),
        png(np.asarray(LAYER).astype(int) * 257, 16, 6),
        png(np.asarray(LAYER.convert("LA")).astype(int) * 257, 16, 4),
        png(np.asarray(PHOTO).astype(int) * 257, 16, 2),
    ],
)  # fmt: skip
def test_the_served_model_sees_what_the_ingest_saw(data):
    assert np.abs(decode(data).numpy() - seen(data)).mean() < 1.5


def test_what_tensorflow_does_not_read_stays_an_error():
    # TensorFlow 2.21 reads WebP as well.
    for image_format in ("WEBP", "TIFF") if tf.__version__ < "2.17" else ("TIFF",):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(encode(PHOTO, image_format))


@pytest.mark.parametrize("mode", ["crop", "squash", "pad"])
@pytest.mark.parametrize("shape", [(1, 500), (400, 1), (2, 1000), (1, 1)])
def test_no_image_is_too_thin(shape, mode):
    white = tf.fill([*shape, 3], tf.constant(255, tf.uint8))
    resized = resize_image(white, 64, mode, margin=32).numpy()
    assert resized.shape == (96, 96, 3)
    assert resized.max() == 255
