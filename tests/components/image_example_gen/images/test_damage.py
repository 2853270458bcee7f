"""What is damage of a JPEG or PNG, and what leaves every pixel whole."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import ImageError
from tests.photos import chunk, encode, png, segment, with_chunk, with_segments

LIMIT = 1_000_000
PHOTO = Image.fromarray(load_sample_images().images[0]).resize((160, 107))
JPEG = encode(PHOTO, "JPEG", quality=90)
PROGRESSIVE = encode(PHOTO, "JPEG", quality=90, progressive=True)
FLAT = encode(Image.new("RGB", (400, 300), (9, 90, 200)), "JPEG", optimize=True)  # its scan ends in zeros of its own
PNG = encode(PHOTO, "PNG")
PROFILE = np.random.default_rng(0).bytes(1_500_000)


def before_end(jpeg: bytes, extra: bytes) -> bytes:
    return jpeg[:-2] + extra + jpeg[-2:]


def scan_header(jpeg: bytes, numbers: bytes) -> bytes:
    """Writes other spectral numbers into the header of a scan that is not progressive."""
    end = jpeg.index(b"\xff\xda") + 2 + 12
    return jpeg[: end - 3] + numbers + jpeg[end:]


def sampled(horizontal: int, vertical: int) -> bytes:
    """A flat gray JPEG with such a sampling of its luma; Pillow writes the usual ones only.

    Without differences and coefficients each block is the codes for "0" and "end of block", whatever the sampling.
    """
    jpeg = bytearray(encode(Image.new("RGB", (96, 64), (128, 128, 128)), "JPEG", optimize=True))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 11] = horizontal << 4 | vertical
    start = jpeg.index(b"\xff\xda") + 14
    units = -(-96 // (8 * horizontal)) * -(-64 // (8 * vertical))
    bits = units * (horizontal * vertical + 2) * 2  # two codes of one bit each, all 0
    body = np.packbits(np.r_[np.zeros(bits, np.uint8), np.ones(-bits % 8, np.uint8)]).tobytes()
    return bytes(jpeg[:start]) + body.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (JPEG.replace(b"JFIF\0\1\1", b"JFIF\0\0\0", 1), JPEG),
        (JPEG.replace(b"JFIF\0\1\1", b"JFIF\0\7\7", 1), JPEG),
        (JPEG.replace(b"\xff\xdb", b"\1\2\xff\xdb", 1), JPEG),
        (JPEG.replace(b"\xff\xc0", b"\0\0\0\xff\xff\xff\xc0", 1), JPEG),
        (before_end(JPEG, bytes(40)), JPEG),
        (before_end(JPEG, b"\xff\xff\xff"), JPEG),
        (before_end(PROGRESSIVE, bytes(40)), PROGRESSIVE),
        (scan_header(JPEG, b"\0\0\0"), JPEG),
        (scan_header(JPEG, b"\1\x20\x11"), JPEG),
        (with_segments(JPEG, segment(0xEE, b"Adobe\0\x64\0\0\0\0\x05")), JPEG),
        (with_segments(JPEG, segment(0xE2, b"ICC_PROFILE\0\x07\x01?")), JPEG),
        (with_segments(JPEG, segment(0xED, b"Photoshop 3.0\08BIM\4\4")), JPEG),
        (with_segments(JPEG, segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")), JPEG),
        (before_end(FLAT, bytes(100)), FLAT),
        (JPEG + b"\0\0\0\x18ftypmp42", JPEG),
        (sampled(3, 1), sampled(1, 1)),
        (sampled(4, 2), sampled(1, 1)),
        (sampled(1, 3), sampled(1, 1)),
        (with_chunk(PNG, chunk(b"iCCP", b"printer\0\0" + zlib.compress(PROFILE))), PNG),
        (with_chunk(PNG, chunk(b"iCCP", b"printer\0\0no such thing")), PNG),
        (with_chunk(PNG, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000)))), PNG),
        (with_chunk(PNG, chunk(b"tIME", b"?")), PNG),
        (with_chunk(PNG, chunk(b"acTL", b"?")), PNG),
        (with_chunk(PNG, chunk(b"gAMA", b"")[:-4] + b"none", at_the_end=True), PNG),
        (with_chunk(PNG, chunk(b"tRNS", bytes(300))), PNG),
        (with_chunk(PNG, chunk(b"eXIf", b"MM\0*")), PNG),
    ],
)
def test_what_leaves_the_pixels_whole_is_kept_as_it_is(data, whole):
    assert data != whole
    image, reference = normalise_image(data, LIMIT), normalise_image(whole, LIMIT)
    assert image.data == data and image.changes == ()
    assert image.perceptual_hash == reference.perceptual_hash
    assert image.brightness == reference.brightness


@pytest.mark.tfx
def test_tensorflow_reads_what_is_kept():
    import tensorflow as tf

    for mark in test_what_leaves_the_pixels_whole_is_kept_as_it_is.pytestmark:
        for data, whole in mark.args[1]:
            np.testing.assert_array_equal(tf.io.decode_image(data, channels=3), tf.io.decode_image(whole, channels=3))


def test_zeros_between_two_scans_are_no_damage():
    between = PROGRESSIVE.index(b"\xff\xda", PROGRESSIVE.index(b"\xff\xda") + 1)
    tables = PROGRESSIVE.rindex(b"\xff\xc4", 0, between)
    data = PROGRESSIVE[:tables] + bytes(30) + PROGRESSIVE[tables:]
    assert normalise_image(data, LIMIT).data == data


@pytest.mark.parametrize("whole", [JPEG, PROGRESSIVE])
@pytest.mark.parametrize(
    "damage",
    [
        lambda jpeg: before_end(jpeg, np.random.default_rng(1).integers(1, 255, 100, np.uint8).tobytes()),
        lambda jpeg: jpeg[: len(jpeg) // 2] + jpeg[len(jpeg) // 2 + 90 :],
        lambda jpeg: jpeg[: len(jpeg) // 2] + bytes(400) + jpeg[len(jpeg) // 2 + 400 :],
        lambda jpeg: jpeg[: len(jpeg) // 2] + b"\xff" * 400 + jpeg[len(jpeg) // 2 + 400 :],
        lambda jpeg: jpeg[: len(jpeg) // 2] + jpeg[-2:],
        lambda jpeg: jpeg[: len(jpeg) // 2],
    ],
)
def test_damage_within_the_pixels_is_found(whole, damage):
    with pytest.raises(ImageError) as refused:
        normalise_image(damage(whole), LIMIT)
    assert refused.value.reason == "truncated"


def test_damage_is_found_behind_what_is_none():
    odd = JPEG.replace(b"JFIF\0\1\1", b"JFIF\0\0\0", 1)
    middle = len(odd) // 2
    with pytest.raises(ImageError, match="within its pixels"):
        normalise_image(odd[:middle] + odd[middle + 90 :], LIMIT)


def test_a_png_with_pixels_in_a_way_of_its_own_is_named():
    with pytest.raises(ImageError, match="CgBI") as refused:
        normalise_image(with_chunk(PNG, chunk(b"CgBI", b"\0\0\0\0")), LIMIT)
    assert refused.value.reason == "unsupported_format"


def test_a_raw_photos_preview_is_named_and_not_taken_for_the_photo():
    buffer = io.BytesIO()
    PHOTO.save(buffer, "TIFF", tiffinfo={254: 1})
    with pytest.raises(ImageError, match=r"preview of 160 x 107 pixels, as in a raw photo \(NEF, DNG") as refused:
        normalise_image(buffer.getvalue(), LIMIT)
    assert refused.value.reason == "unsupported_format"
    buffer = io.BytesIO()
    PHOTO.save(buffer, "TIFF", tiffinfo={254: 2})  # a page
    assert normalise_image(buffer.getvalue(), LIMIT).changes == ("format",)


@pytest.mark.parametrize(
    "header", [b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0\0\1", b"FUJIFILMCCD-RAW", b"IIRO\x08"]
)
def test_a_raw_photo_is_named(header):
    with pytest.raises(ImageError, match="raw photo") as refused:
        normalise_image(header + bytes(200), LIMIT)
    assert refused.value.reason == "unsupported_format"


GRAY = np.arange(0, 256).reshape(16, 16)


def tiff(samples: np.ndarray) -> bytes:
    return encode(Image.fromarray(samples), "TIFF")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (tiff((GRAY << 2).astype(np.uint16)), GRAY),  # 10 bits in 16
        (tiff((GRAY << 4).astype(np.uint16)), GRAY),
        (tiff((GRAY << 8).astype(np.uint16)), GRAY),
        (tiff((GRAY << 4).astype(np.int32)), GRAY),
        (tiff((GRAY / 255).astype(np.float32)), GRAY),
        (tiff(GRAY.astype(np.float32)), GRAY),
        (png(GRAY << 4, 16, 0), GRAY),
        (png(GRAY << 8, 16, 0), GRAY),
        (png(GRAY << 8, 16, 0, chunk(b"tRNS", b"\0\0")), np.where(GRAY == 0, 255, GRAY)),
        (png(np.dstack([GRAY, GRAY]), 8, 4), np.rint(255 - (255 - GRAY) * GRAY / 255)),
        (png(np.dstack([GRAY, GRAY]) * 257, 16, 4), np.rint(255 - (255 - GRAY) * GRAY / 255)),
        (encode(Image.fromarray(GRAY.astype(np.uint8)).convert("P"), "PNG", transparency=0), None),
    ],
)  # fmt: skip
def test_the_pixels_of_unusual_samples(data, shown):
    shown = np.where(GRAY == 0, 255, GRAY) if shown is None else shown
    image = normalise_image(data, LIMIT)
    assert image.brightness == pytest.approx(shown.mean() / 255, abs=1e-3)
    if image.changes:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image.data)).convert("L")), shown)


@pytest.mark.parametrize("samples", [[[-1.0]], [[256.0]], [[np.nan]], [[np.inf]]])
def test_floating_point_samples_of_another_range_are_named(samples):
    with pytest.raises(ImageError, match="scale them"):
        normalise_image(tiff(np.array(samples, np.float32)), LIMIT)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_colour_profile_is_left_aside(mode):
    picture = PHOTO.convert(mode)
    adobe_rgb = b"\0\0\2\x30ADBE\2\x10\0\0mntrRGB XYZ " + bytes(530)
    with_profile = encode(picture, "JPEG", quality=95, icc_profile=adobe_rgb)
    plain = normalise_image(encode(picture, "JPEG", quality=95), LIMIT)
    image = normalise_image(with_profile, LIMIT)
    assert image.brightness == plain.brightness
    assert image.changes == plain.changes == (() if mode == "RGB" else ("colours",))
