"""What the codec keeps, what it encodes anew and what it refuses."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from components.image_example_gen.images import codec
from components.image_example_gen.images.codec import EXIF_ORIENTATION, normalise_image
from components.image_example_gen.images.damage import ImageError
from tests.photos import exif

LIMIT = 1_000_000


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def reason_of(data: bytes, max_pixels: int = LIMIT) -> str:
    with pytest.raises(ImageError) as refused:
        normalise_image(data, max_pixels)
    assert str(refused.value)
    return refused.value.reason


@pytest.mark.parametrize(
    ("image_format", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("PNG", "1", {}),
        ("PNG", "P", {}),
        ("PNG", "RGBA", {}),
    ],
)
def test_what_tensorflow_reads_well_keeps_its_bytes(picture, encode, image_format, mode, options):
    data = encode(picture.convert(mode), image_format, **options)
    image = normalise_image(data, LIMIT)
    assert image.data == data
    assert image.changes == ()
    assert (image.format, image.width, image.height) == (image_format.lower(), 48, 32)


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [
        ("WEBP", "RGB"),
        ("TIFF", "RGB"),
        ("TIFF", "CMYK"),
        ("BMP", "P"),
        ("GIF", "P"),
        ("PPM", "RGB"),
        ("JPEG2000", "RGB"),
    ],
)
def test_other_formats_become_png_without_loss(picture, encode, image_format, mode):
    data = encode(picture.convert(mode), image_format)
    image = normalise_image(data, LIMIT)
    assert image.changes == ("format",)
    assert image.format == image_format.lower()
    assert Image.open(io.BytesIO(image.data)).format == "PNG"
    np.testing.assert_array_equal(pixels(image.data), pixels(data))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_is_set_upright(picture, encode, orientation):
    data = encode(picture, "JPEG", exif=exif(orientation))
    image = normalise_image(data, LIMIT)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert image.changes == ("orientation",)
    assert (image.width, image.height) == upright.size
    np.testing.assert_array_equal(pixels(image.data), np.asarray(upright))
    assert normalise_image(image.data, LIMIT).changes == ()  # and not turned again


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("image_format", ["TIFF", "WEBP"])
def test_a_format_whose_reader_turns_the_photo_is_not_turned_twice(picture, encode, image_format, orientation):
    note = exif(orientation)
    options = {"tiffinfo": {EXIF_ORIENTATION: orientation}} if image_format == "TIFF" else {"exif": note}
    image = normalise_image(encode(picture, image_format, **options, lossless=True), LIMIT)
    upright = normalise_image(encode(picture, "PNG", exif=note), LIMIT)
    np.testing.assert_array_equal(pixels(image.data), pixels(upright.data))


def test_a_damaged_note_of_the_orientation_does_not_cost_the_image(picture, encode):
    data = encode(picture, "JPEG", exif=b"Exif\0\0no such thing")
    assert normalise_image(data, LIMIT).data == data


def test_transparent_pixels_are_shown_on_white(picture, encode):
    picture.putalpha(Image.fromarray(np.where(np.arange(48) < 24, 0, 255).astype(np.uint8)[None].repeat(32, axis=0)))
    image = normalise_image(encode(picture, "PNG"), LIMIT)
    assert image.changes == ("transparency",)
    assert (pixels(image.data)[:, :24] == 255).all()
    np.testing.assert_array_equal(pixels(image.data)[:, 24:], np.asarray(picture.convert("RGB"))[:, 24:])


def test_cmyk_jpeg_is_converted(picture, encode):
    data = encode(picture.convert("CMYK"), "JPEG")
    image = normalise_image(data, LIMIT)
    assert image.changes == ("colours",)
    np.testing.assert_array_equal(pixels(image.data), pixels(data))


def test_a_jpeg_needs_an_end_mark_of_its_own_whatever_lies_around_it(picture, encode):
    small = encode(picture, "JPEG")
    exif = b"Exif\0\0" + small  # as a thumbnail would lie in a header segment
    data = encode(picture.resize((96, 64)), "JPEG", exif=exif)
    assert normalise_image(data + b"\0\0\0\x18ftypmp42", LIMIT).width == 96  # a phone's moving picture
    assert reason_of(data[:-1] + b"\xe2") == "truncated"


def test_of_an_animation_the_first_frame_counts(picture, encode):
    data = encode(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], lossless=True)
    np.testing.assert_array_equal(pixels(normalise_image(data, LIMIT).data), np.asarray(picture))


@pytest.mark.parametrize(("level", "brightness"), [(0, 0.0), (51, 0.2), (255, 1.0)])
@pytest.mark.parametrize("samples", [np.uint8, np.uint16])
def test_brightness_is_the_mean_luma(encode, level, brightness, samples):
    scale = 257 if samples is np.uint16 else 1
    gray = Image.fromarray(np.full((8, 8), level * scale, samples))
    assert normalise_image(encode(gray, "PNG"), LIMIT).brightness == pytest.approx(brightness, abs=1e-6)


def test_sixteen_bit_tiff_keeps_its_upper_byte(encode):
    samples = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    image = normalise_image(encode(Image.fromarray(samples), "TIFF"), LIMIT)
    np.testing.assert_array_equal(pixels(image.data)[..., 0], samples >> 8)


def test_the_reasons_for_refusing(picture, encode):
    assert reason_of(b"") == "empty_file"
    assert reason_of(b"hello world") == "not_an_image"
    for foreign in (b"%PDF-1.7 ...", bytes(128) + b"DICM", b"\0\0\0\x0cJXL \r\n", b"\xff\x0a\0"):
        assert reason_of(foreign) == "unsupported_format"
    assert reason_of(b"\0\0\0\x18ftypheic\0\0\0\0") == "truncated"
    assert reason_of(encode(Image.new("F", (8, 8), -1), "TIFF")) == "unsupported_format"
    assert reason_of(encode(picture, "JPEG")[:40]) == "truncated"


def test_too_many_pixels_are_refused_before_they_are_decoded(encode):
    huge = encode(Image.new("1", (12_000, 12_000)), "PNG")  # 18 kB of file, 432 MB as RGB
    assert reason_of(huge) == "too_many_pixels"
    assert reason_of(encode(Image.new("L", (11, 10)), "PNG"), max_pixels=109) == "too_many_pixels"
    assert normalise_image(encode(Image.new("L", (11, 10)), "PNG"), max_pixels=110).width == 11


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    """One file a format that could be cut or damaged on its way."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8))
    encoded = {}
    for image_format in ("JPEG", "PNG", "WEBP", "GIF"):
        buffer = io.BytesIO()
        noise.save(buffer, image_format)
        encoded[image_format] = buffer.getvalue()
    return encoded


@settings(deadline=None, max_examples=80)
@given(data=st.data(), image_format=st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_an_image_cut_anywhere_is_refused(samples, data, image_format):
    whole = samples[image_format]
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ImageError):
        normalise_image(whole[:cut], LIMIT)


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_a_damaged_png_is_refused_or_unchanged_in_its_pixels(samples, data):
    whole = bytearray(samples["PNG"])
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        image = normalise_image(bytes(whole), LIMIT)
    except ImageError:
        return
    np.testing.assert_array_equal(pixels(image.data), pixels(samples["PNG"]))


@settings(deadline=None, max_examples=150)
@given(junk=st.binary(max_size=200), signature=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]))
def test_no_bytes_can_do_more_than_be_refused(junk, signature):
    with pytest.raises(ImageError):
        normalise_image(signature + junk, LIMIT)


def test_without_its_library_heic_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(codec, "HEIC", False)
    monkeypatch.setattr(codec, "READABLE_FORMATS", ("JPEG", "PNG"))
    with pytest.raises(ImageError, match="install pillow-heif") as error:
        normalise_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", LIMIT)
    assert error.value.reason == "unsupported_format"
