"""Checks one encoded image and, where a reader could see another picture in it than a person does, encodes it anew.

`tf.io.decode_image(data, channels=3, expand_animations=False)` is the reader that any image is made fit for. It reads
JPEG and PNG well, knows no WebP, TIFF, AVIF or HEIC, misreads BMP with a palette and some CMYK, ignores the orientation
that cameras note in EXIF and shows whatever colour lies under transparent pixels. trainer/decoding.py makes up for most
of that in the served model, which gets photos as they are. Nothing here needs TensorFlow.
"""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from components.image_example_gen.images.damage import (
    PNG_SIGNATURE,
    ImageError,
    check_jpeg,
    check_jpeg_scans,
    png_pixels,
)
from components.image_example_gen.images.jpeg_segments import START as JPEG_SIGNATURE
from components.image_example_gen.images.jpeg_segments import without_notes
from components.image_example_gen.images.near_duplicates import perceptual_hash
from components.image_example_gen.images.orientation import read_orientation
from components.image_example_gen.images.samples import check_not_a_preview, eight_bit, without_transparency

# A list, so that Pillow does not try its readers of EPS (runs Ghostscript), PDF or TGA (takes any bytes for an image).
READABLE_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
# MPO is what phones write for a JPEG with a second picture behind it; JPEG readers take the first.
KEPT_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
KEPT_SIGNATURES = (b"\xff\xd8\xff", PNG_SIGNATURE)  # a JPEG with a stray byte at once behind its start has another
EXIF_ORIENTATION = 0x0112
# What sets a picture upright; 1, as any other value, means that it is.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Fast rather than small: a phone's 12-megapixel photo that must be turned takes 1.8 s at level 1, 3.5 s at level 6.
PNG_COMPRESSION = 1
_CR2 = b"CR\x02"
_IMAGE_SIGNATURES = (b"\xff\xd8\xff", PNG_SIGNATURE, b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*")
_FOREIGN_SIGNATURES = (
    (b"ftypavif", 4, "AVIF"),
    (b"%PDF", 0, "PDF"),
    (b"%!PS", 0, "PostScript"),
    (b"8BPS", 0, "Photoshop"),
    (b"<svg", 0, "SVG"),
    (b"ftypcrx ", 4, "a raw photo (CR3)"),
    (b"IIRO", 0, "a raw photo (ORF)"),
    (b"IIU\0", 0, "a raw photo (RW2)"),
    (b"FUJIFILM", 0, "a raw photo (RAF)"),
    (b"DICM", 128, "DICOM"),
    (b"JXL ", 4, "JPEG XL"),
    (b"\xff\x0a", 0, "JPEG XL"),
)

_HEIC_SIGNATURES = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")
# HEIC needs a library that is not always wanted; it tells Pillow how to read it, upright.
HEIC = importlib.util.find_spec("pillow_heif") is not None
if HEIC:
    import pillow_heif

    pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class NormalisedImage:
    """An image that `tf.io.decode_image` reads as a person sees it.

    Attributes:
        data: the encoded image, JPEG or PNG; the original bytes if `changes` is empty.
        format: the original format in lower case, such as "jpeg" or "webp".
        width: columns of pixels, after turning.
        height: rows of pixels, after turning.
        brightness: mean luma (ITU-R 601), 0 black to 1 white.
        perceptual_hash: 64 hex digits, nearly the same for near copies.
        changes: why `data` is not the original, of "format", "colours", "orientation" and "transparency".
    """

    data: bytes
    format: str
    width: int
    height: int
    brightness: float
    perceptual_hash: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A decoded image, upright, opaque and of 8 bits a sample.

    Attributes:
        image: of mode 1, L, P, RGB or another that `convert("RGB")` takes.
        format: the original format in lower case.
        changes: see `NormalisedImage`.
    """

    image: Image.Image
    format: str
    changes: tuple[str, ...]


def normalise_image(data: bytes, max_pixels: int) -> NormalisedImage:
    """Decodes `data` completely and returns it in a form that TensorFlow reads correctly.

    JPEG and PNG keep their bytes unless the picture would come out turned, in wrong colours or with those of
    transparent pixels. Everything else becomes PNG, which loses nothing but depth: of more than 8 bits a
    sample the upper 8 of those that the picture makes use of stay. Of an animation the first frame counts. Colour
    profiles are left aside, as TensorFlow does.

    Args:
        data: the content of an image file.
        max_pixels: the most pixels (width x height) to decode; a larger image is refused before it takes memory.
            Pillow's own limit of 178,956,970 pixels holds as well.

    Raises:
        ImageError: if there is no complete image of a known format in `data`.
    """
    image = open_image(data, max_pixels)
    luma = _check_pixels(data, image)
    if luma is not None and is_upright_jpeg(data, image):
        return _kept(data, "jpeg", Image.fromarray(luma), lambda: _decode(image))
    picture = _make_picture(data, image)
    kept = _kept(data, picture.format, picture.image.convert("L"), lambda: picture.image)
    return replace(kept, data=_as_png(picture.image), changes=picture.changes) if picture.changes else kept


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """Decodes `data` completely, upright and opaque; `normalise_image` says what of it changes, and what is refused."""
    image = open_image(data, max_pixels)
    _check_pixels(data, image)
    return _make_picture(data, image)


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Reads the header only.

    Raises:
        ImageError: if it is of no known format, or too large to decode.
    """
    if not data:
        raise ImageError("empty_file", "the file has no bytes")
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"{width} x {height} = {width * height:,} pixels, limit {max_pixels:,}")
    return image


def is_upright_jpeg(data: bytes, image: Image.Image) -> bool:
    """Whether `normalise_image` keeps the bytes of this JPEG, if they are whole."""
    return (
        _kept_format(image) == "jpeg"
        and image.mode != "CMYK"
        and data.startswith(KEPT_SIGNATURES)
        and read_orientation(data) not in UPRIGHT
    )


def _kept_format(image: Image.Image) -> str | None:
    """The name of a format whose bytes TensorFlow reads; None for every other one."""
    return KEPT_FORMATS.get(image.format or "")


def _check_pixels(data: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """Finds damage in a JPEG; returns its luma, uint8 (height, width), where that was decoded on the way."""
    if _kept_format(image) != "jpeg":
        return None
    check_jpeg_scans(data, image.width * image.height)
    return check_jpeg(data, cmyk=image.mode == "CMYK")


def _make_picture(data: bytes, image: Image.Image) -> Picture:
    kept_format = _kept_format(image)
    picture = _decode(image)
    # After decoding: some of Pillow's readers (TIFF, HEIF) turn the picture by themselves, and then note it as upright.
    orientation = read_orientation(data) if kept_format else _noted_orientation(picture)

    changes = []
    if not (kept_format and data.startswith(KEPT_SIGNATURES)):
        changes.append("format")
    elif image.mode == "CMYK":
        changes.append("colours")  # TensorFlow shows CMYK without Adobe's marker as a negative
    picture = eight_bit(picture)
    if orientation in UPRIGHT:
        changes.append("orientation")
        picture = picture.transpose(UPRIGHT[orientation])
    opaque = without_transparency(picture)
    if opaque is not picture:
        changes.append("transparency")
        picture = opaque
    return Picture(picture, kept_format or (image.format or "").lower(), tuple(changes))


def _kept(data: bytes, image_format: str, gray: Image.Image, decode: Callable[[], Image.Image]) -> NormalisedImage:
    return NormalisedImage(
        data=data,
        format=image_format,
        width=gray.width,
        height=gray.height,
        brightness=float(np.asarray(gray).mean()) / 255,
        perceptual_hash=perceptual_hash(gray, decode),
        changes=(),
    )


def _open(data: bytes) -> Image.Image:
    """Reads the header only."""
    if data[8:11] == _CR2:  # a TIFF whose first picture is a preview and does not say so
        raise ImageError("unsupported_format", "a raw photo (CR2) cannot be read here: export it as JPEG or PNG")
    # Of a PNG, Pillow gets the pixels alone, because it refuses files over a malformed or large profile or text.
    readable = png_pixels(data) if data.startswith(PNG_SIGNATURE) else data
    try:
        return _open_with_pillow(readable)
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", str(error)) from error
    except UnidentifiedImageError as error:
        refused = _unidentified(data)
        cause: Exception = error
    except Exception as error:  # a reader may fail in any way on hostile bytes; one file must not stop an ingest
        refused = ImageError("truncated", f"damaged header: {_describe(error)}")
        cause = error
    if data.startswith(JPEG_SIGNATURE):  # the same for JPEG, where it seldom does
        with contextlib.suppress(Exception):
            return _open_with_pillow(without_notes(data, colours=True))
    raise refused from cause


def _open_with_pillow(data: bytes) -> Image.Image:
    Image.init()
    known = [name for name in READABLE_FORMATS if name in Image.OPEN]
    with warnings.catch_warnings():
        # Half of Pillow's own limit is only warned about; `max_pixels` decides there. What else it warns of, such as a
        # damaged EXIF, is no pixel.
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=known)
    return image


def _unidentified(data: bytes) -> ImageError:
    if data[4:12] in _HEIC_SIGNATURES:
        if HEIC:
            return ImageError("truncated", f"the HEIC is damaged or cut short ({len(data)} bytes)")
        return ImageError("unsupported_format", "HEIC cannot be read here: install pillow-heif, or export it as JPEG")
    for signature, offset, name in _FOREIGN_SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            return ImageError("unsupported_format", f"{name} cannot be read here: export it as JPEG or PNG")
    if data.startswith(_IMAGE_SIGNATURES):
        return ImageError("truncated", f"the header is damaged or cut short ({len(data)} bytes)")
    return ImageError("not_an_image", f"begins with {data[:8]!r}, which no known image format does")


def _decode(image: Image.Image) -> Image.Image:
    """Decodes the first frame to its last row."""
    check_not_a_preview(image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:  # as above: the decoders raise OSError, SyntaxError, struct.error, KeyError and more
        raise ImageError("truncated", _describe(error)) from error
    return image


def _noted_orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where the note is missing or damaged, as image viewers take it."""
    try:
        orientation: int = image.getexif().get(EXIF_ORIENTATION, 1)
        return orientation
    except Exception:  # as above; the pixels are whole, so that the image is not lost for its note
        return 1


def _as_png(picture: Image.Image) -> bytes:
    plain = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
