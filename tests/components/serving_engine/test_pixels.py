"""The server's pixels are those that ingest, Transform graph and SavedModel make of the same file, bit by bit."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import ImageError
from components.serving_engine.pixels import PixelSpec, network_pixels
from tests.photos import encode

MAX_PIXELS = 1_000_000
SHARED = Path(__file__).resolve().parents[4] / "shared"
SQUASH = PixelSpec(image_size=64, resize="squash", margin=0, stored_format="jpeg", jpeg_quality=95)
TURNED = 6  # EXIF: a phone that was held upright


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


PHOTO = Image.fromarray(load_sample_images().images[0]).resize((317, 211))
DIGIT = Image.fromarray((load_digits().images[7] * 255 / 16).astype(np.uint8))
DEEP = Image.fromarray((np.asarray(PHOTO.convert("L")).astype(np.uint16) << 8) + 77)
JPEG = encode(PHOTO, "JPEG")
# What a decoder warns of and leaves every pixel whole.
WARNED_OF = {
    "jfif_version": JPEG.replace(b"JFIF\0\1\1", b"JFIF\0\0\0", 1),
    "jfif_cut_short": JPEG.replace(JPEG[2:20], JPEG[2:4] + b"\0\7" + JPEG[6:11], 1),
    "stray_bytes": JPEG.replace(b"\xff\xdb", b"\1\2\xff\xdb", 1),
    "fill_bytes": JPEG.replace(b"\xff\xc0", b"\0\0\0\xff\xff\xff\xc0", 1),
    "zeros_at_the_end": JPEG[:-2] + bytes(40) + JPEG[-2:],
    "appended": JPEG + b"\0\0\0\x18ftypmp42",
    "adobe_of_no_colours": JPEG[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\1" + JPEG[2:],
    "scan_numbers": JPEG.replace(b"\0\x3f\0", b"\1\x20\x11", 1),
}
CASES = {
    **{f"jpeg_{name}": data for name, data in WARNED_OF.items()},
    "jpeg_420": encode(PHOTO, "JPEG", quality=80),
    "jpeg_422": encode(PHOTO, "JPEG", quality=90, subsampling=1),
    "jpeg_444": encode(PHOTO, "JPEG", quality=95, subsampling=0),
    "jpeg_progressive": encode(PHOTO, "JPEG", progressive=True),
    "jpeg_gray": encode(PHOTO.convert("L"), "JPEG"),
    "jpeg_cmyk": encode(PHOTO.convert("CMYK"), "JPEG"),
    **{f"jpeg_orientation_{number}": encode(PHOTO, "JPEG", exif=turned(number)) for number in (1, 3, TURNED, 8)},
    "png_rgb": encode(PHOTO, "PNG"),
    "png_digit": encode(DIGIT, "PNG"),
    "png_palette": encode(PHOTO.quantize(37), "PNG"),
    "png_one_bit": encode(PHOTO.convert("1"), "PNG"),
    "png_16_bit": encode(DEEP, "PNG"),
    "png_opaque": encode(PHOTO.convert("RGBA"), "PNG"),
    "png_transparent": encode(Image.merge("RGBA", [*PHOTO.split(), PHOTO.convert("L")]), "PNG"),
    "png_turned": encode(PHOTO, "PNG", exif=turned(TURNED)),
    "webp": encode(PHOTO, "WEBP"),
    "tiff": encode(PHOTO, "TIFF"),
    "gif": encode(PHOTO.quantize(64), "GIF"),
    "bmp": encode(PHOTO, "BMP"),
    "thin": encode(PHOTO.resize((300, 3)), "PNG"),
    "thin_upright": encode(PHOTO.resize((2, 300)), "PNG"),
    "one_pixel": encode(PHOTO.resize((1, 1)), "PNG"),
}


def by_tensorflow(data: bytes, spec: PixelSpec) -> np.ndarray:
    """What the trainer's own operations make of the bytes that the ingest keeps."""
    from trainer.preprocessing import central_image, decode_stored_image, store_image

    choices = {
        "resize": spec.resize,
        "margin": spec.margin,
        "format": spec.stored_format,
        "jpeg_quality": spec.jpeg_quality,
    }
    stored = store_image(normalise_image(data, MAX_PIXELS).data, spec.image_size, choices)
    pixels = decode_stored_image(stored, spec.image_size + spec.margin, spec.stored_format)
    return central_image(pixels, spec.image_size).numpy()


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_file_gives_the_pixels_of_the_training(name):
    np.testing.assert_array_equal(network_pixels(CASES[name], SQUASH, MAX_PIXELS), by_tensorflow(CASES[name], SQUASH))


@pytest.mark.parametrize(
    "spec",
    [
        *(
            PixelSpec(64, resize, 0, stored, 90)
            for resize, stored in itertools.product(("squash", "crop", "pad"), ("jpeg", "png", "raw"))
        ),
        PixelSpec(96, "crop", 32, "jpeg", 95),
        PixelSpec(96, "crop", 7, "png", 95),
        PixelSpec(300, "pad", 0, "jpeg", 95),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["jpeg_420", "png_digit", "thin", "thin_upright"])
def test_every_way_of_resizing_and_storing(name, spec):
    np.testing.assert_array_equal(network_pixels(CASES[name], spec, MAX_PIXELS), by_tensorflow(CASES[name], spec))


def test_resizing_is_tensorflows_at_any_size():
    import tensorflow as tf

    from components.serving_engine.bicubic import resize_bicubic

    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width, tall, wide = (int(size) for size in rng.integers(1, 200, 4))
        pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        wanted = tf.image.resize(pixels, [tall, wide], method="bicubic", antialias=True).numpy()
        np.testing.assert_array_equal(resize_bicubic(pixels, tall, wide), wanted)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"no image", "not_an_image"),
        (CASES["jpeg_420"][:3000], "truncated"),
        (CASES["png_rgb"][:3000], "truncated"),
        (encode(Image.new("RGB", (1001, 1000)), "PNG"), "too_many_pixels"),
        (encode(Image.new("RGB", (1001, 1000)), "JPEG"), "too_many_pixels"),
    ],
)
def test_what_ingest_refuses_the_server_refuses(data, reason):
    with pytest.raises(ImageError) as refused:
        network_pixels(data, SQUASH, MAX_PIXELS)
    assert refused.value.reason == reason


def test_a_model_that_does_not_say_how_its_images_were_made_is_refused():
    with pytest.raises(ValueError, match=r"transform\.resize"):
        PixelSpec.from_info({"image_size": 64})


@pytest.mark.slow
def test_photographs_and_odd_files_of_others_give_the_pixels_of_the_training(tmp_path):
    datasets, maker = SHARED / "datasets", SHARED / "cases" / "make_cases.py"
    if not datasets.exists():
        pytest.skip(f"needs the photographs in {datasets}")
    subprocess.run([sys.executable, str(maker), str(tmp_path)], check=True, capture_output=True)
    endings = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp"}
    files = [path for folder in (datasets, tmp_path) for path in sorted(folder.rglob("*"))]
    files = [path for path in files if path.suffix.lower() in endings and path.is_file()]
    ways = [PixelSpec(64, resize, 8, stored, 95) for resize in ("squash", "crop", "pad") for stored in ("jpeg", "png")]
    compared, refused = 0, []
    for path, spec in zip(files, itertools.cycle(ways)):
        data = path.read_bytes()
        try:
            wanted = by_tensorflow(data, spec)
        except ImageError as error:
            with pytest.raises(ImageError) as refusal:
                network_pixels(data, spec, MAX_PIXELS)
            assert refusal.value.reason == error.reason, path
            refused.append(path)
            continue
        np.testing.assert_array_equal(network_pixels(data, spec, MAX_PIXELS), wanted, err_msg=f"{path} {spec}")
        compared += 1
    assert compared > 1000
    assert len(refused) < compared / 20
