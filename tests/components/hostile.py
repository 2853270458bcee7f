"""More than 40 files such as turn up in image folders, each with what should become of it."""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from components.image_example_gen.images.codec import EXIF_ORIENTATION
from tests.photos import encode

MAX_PIXELS = 1_000_000


class Hostile(NamedTuple):
    """A file and its fate: the picture that must come out of it, or the reason for which it is quarantined."""

    path: str
    content: bytes
    picture: Image.Image | None = None
    reason: str = ""


def hostile_files(photo: Image.Image) -> Iterator[Hostile]:
    """Yields the files, made from an RGB photograph; no two have the same bytes."""
    yield from good_files(photo)
    yield from damaged_files(photo)
    yield from foreign_files(photo)


def good_files(photo: Image.Image) -> Iterator[Hostile]:
    gray, turned = photo.convert("L"), Image.Exif()
    turned[EXIF_ORIENTATION] = 6
    layer = photo.copy()
    layer.putalpha(gray)
    on_white = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    few = photo.quantize(64)
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) << 8)
    frames = {"save_all": True, "append_images": [photo.rotate(180)]}
    for name, picture, image_format, options, seen in [
        ("rgb.jpg", photo, "JPEG", {"quality": 95}, photo),
        ("gray.jpg", gray, "JPEG", {"quality": 95}, gray),
        ("progressive.jpg", photo, "JPEG", {"quality": 94, "progressive": True}, photo),
        ("cmyk.jpg", photo.convert("CMYK"), "JPEG", {"quality": 95}, photo),
        ("turned.jpg", photo, "JPEG", {"quality": 95, "exif": turned}, photo.transpose(Image.Transpose.ROTATE_270)),
        ("rgb.png", photo, "PNG", {}, photo),
        ("palette.png", few, "PNG", {}, few.convert("RGB")),
        ("one-bit.png", photo.convert("1"), "PNG", {}, photo.convert("1")),
        ("alpha.png", layer, "PNG", {}, on_white),
        ("sixteen.png", deep, "PNG", {}, gray),
        ("rgb.bmp", photo, "BMP", {}, photo),
        ("palette.bmp", few, "BMP", {}, few.convert("RGB")),
        ("still.gif", few, "GIF", {}, few.convert("RGB")),
        ("film.gif", few, "GIF", frames, few.convert("RGB")),
        ("lossless.webp", photo, "WEBP", {"lossless": True}, photo),
        ("film.webp", photo, "WEBP", {"lossless": True, **frames}, photo),
        ("alpha.webp", layer, "WEBP", {"lossless": True, "exact": True}, on_white),
        ("rgb.tiff", photo, "TIFF", {}, photo),
        ("cmyk.tif", photo.convert("CMYK"), "TIFF", {}, photo),
        ("sixteen.tif", deep, "TIFF", {}, gray),
        ("picture.ppm", photo, "PPM", {}, photo),
        ("phone.heic", photo, "HEIF", {"quality": 95}, photo),
        (
            "turned.heic",
            photo,
            "HEIF",
            {"quality": 95, "exif": turned.tobytes()},
            photo.transpose(Image.Transpose.ROTATE_270),
        ),
        ("heic called.jpg", photo, "HEIF", {"quality": 94}, photo),
        ("jpeg called.png", photo, "JPEG", {"quality": 96}, photo),
        ("png called.jpg", photo, "PNG", {"compress_level": 1}, photo),
        ("no extension", photo, "PNG", {"compress_level": 2}, photo),
        ("n" * 246 + ".png", photo, "PNG", {"compress_level": 3}, photo),
        ("\u2028line # % ?.png", photo, "PNG", {"compress_level": 4}, photo),
    ]:
        yield Hostile(name, encode(picture, image_format, **options), picture=seen)


def damaged_files(photo: Image.Image) -> Iterator[Hostile]:
    for image_format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF"):
        whole = encode(photo, image_format)
        for percent in (1, 20, 50, 80, 97):
            cut = whole[: len(whole) * percent // 100]
            yield Hostile(f"cut-{percent}.{image_format.lower()}", cut, reason="truncated")
    jpeg, png = bytearray(encode(photo, "JPEG")), bytearray(encode(photo, "PNG"))
    middle = len(jpeg) // 2
    del jpeg[middle : middle + 200]
    yield Hostile("hole.jpg", bytes(jpeg), reason="truncated")
    jpeg[middle : middle + 200] = np.random.default_rng(3).integers(0, 255, 200, np.uint8).tobytes()
    yield Hostile("noise.jpg", bytes(jpeg), reason="truncated")
    png[len(png) // 2] ^= 0xFF
    yield Hostile("flipped.png", bytes(png), reason="truncated")


def foreign_files(photo: Image.Image) -> Iterator[Hostile]:
    for name, content, reason in [
        ("none.jpg", b"", "empty_file"),
        ("zeros.jpg", bytes(5000), "not_an_image"),
        ("text.jpg", b"not found", "not_an_image"),
        ("page.png", b"<!doctype html><title>404</title>", "not_an_image"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        ("paper.pdf", b"%PDF-1.7\n", "unsupported_format"),
        ("header.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "truncated"),
        ("photos.tar", bytes(10240), "not_an_image"),
        ("photos.tfrecord", b"\x05\0\0\0\0\0\0\0abcdphoto", "not_an_image"),
        ("program.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_format"),
        ("bomb.png", encode(Image.new("1", (9000, 9000)), "PNG"), "too_many_pixels"),
        ("lying bomb.png", png_header(2**31 - 1, 2**31 - 1), "too_many_pixels"),
        ("bomb.gif", encode(Image.new("P", (4000, 4000)), "GIF"), "too_many_pixels"),
        ("film.mp4", bytes(MAX_PIXELS * 8 + 17_000_000), "too_many_bytes"),
        ("float.tiff", encode(Image.fromarray(np.asarray(photo.convert("F")) * 2 - 255), "TIFF"), "unsupported_format"),
        ("Thumbs.db", b"x", "ignored"),
        (".hidden.jpg", b"x", "ignored"),
    ]:
        yield Hostile(name, content, reason=reason)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
