"""Checks one encoded image and, where TensorFlow would not read it as a person sees it, encodes it anew.

`tf.io.decode_image(data, channels=3, expand_animations=False)` is the reader that the images are made for. It reads
JPEG and PNG well, knows no WebP, TIFF, AVIF or HEIC, misreads BMP with a palette and some CMYK, ignores the orientation
that cameras note in EXIF and shows whatever colour lies under transparent pixels. Nothing here needs TensorFlow.
"""

import importlib.util
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from components.image_example_gen.images.integrity import (
    PNG_SIGNATURE,
    ImageError,
    check_jpeg,
    check_jpeg_scans,
    check_png,
)
from components.image_example_gen.images.perceptual_hash import perceptual_hash

# A list, so that Pillow does not try its readers of EPS (runs Ghostscript), PDF or TGA (takes any bytes for an image).
READABLE_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
# MPO is what phones write for a JPEG with a second picture behind it; JPEG readers take the first.
KEPT_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}
BACKGROUND = (255, 255, 255, 255)  # transparent pixels are shown on white, as on a page
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
_IMAGE_SIGNATURES = (b"\xff\xd8\xff", PNG_SIGNATURE, b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*")
_FOREIGN_SIGNATURES = (
    (b"ftypavif", 4, "AVIF"),
    (b"%PDF", 0, "PDF"),
    (b"%!PS", 0, "PostScript"),
    (b"8BPS", 0, "Photoshop"),
    (b"<svg", 0, "SVG"),
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

    def encoded(self, data: bytes) -> bytes:
        """Returns bytes that TensorFlow reads as this picture: the original `data`, or a PNG if anything changed."""
        return _as_png(self.image) if self.changes else data


def normalise_image(data: bytes, max_pixels: int) -> NormalisedImage:
    """Decodes `data` completely and returns it in a form that TensorFlow reads correctly.

    JPEG and PNG keep their bytes unless the picture would come out turned, in wrong colours or with those of
    transparent pixels. Everything else becomes PNG, which loses nothing; of an animation the first frame counts, 16-bit
    samples keep their upper 8 bits.

    Args:
        data: the content of an image file.
        max_pixels: the most pixels (width x height) to decode; a larger image is refused before it takes memory.
            Pillow's own limit of 178,956,970 pixels holds as well.

    Raises:
        ImageError: if there is no complete image of a known format in `data`.
    """
    picture = read_picture(data, max_pixels)
    gray = picture.image.convert("L")
    return NormalisedImage(
        data=picture.encoded(data),
        format=picture.format,
        width=picture.image.width,
        height=picture.image.height,
        brightness=float(np.asarray(gray).mean()) / 255,
        perceptual_hash=perceptual_hash(gray),
        changes=picture.changes,
    )


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """Decodes `data` completely, upright and opaque; `normalise_image` says what of it changes, and what is refused."""
    image = open_image(data, max_pixels)
    original_format = KEPT_FORMATS.get(image.format or "", (image.format or "").lower())
    picture = _decode(image, data)

    changes = []
    if image.format not in KEPT_FORMATS:
        changes.append("format")
    elif image.mode == "CMYK":
        changes.append("colours")  # TensorFlow shows CMYK without Adobe's marker as a negative
    if (orientation := _orientation(image)) in UPRIGHT:
        changes.append("orientation")
        picture = picture.transpose(UPRIGHT[orientation])
    opaque = _without_transparency(picture)
    if opaque is not picture:
        changes.append("transparency")
        picture = opaque
    return Picture(_eight_bit(picture), original_format, tuple(changes))


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


def is_upright_jpeg(image: Image.Image) -> bool:
    """Whether `normalise_image` keeps the bytes of this JPEG, if they are whole."""
    return (
        KEPT_FORMATS.get(image.format or "") == "jpeg" and image.mode != "CMYK" and _orientation(image) not in UPRIGHT
    )


def _open(data: bytes) -> Image.Image:
    Image.init()
    known = [name for name in READABLE_FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            # Half of Pillow's own limit is only warned about; `max_pixels` decides there.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=known)
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", str(error)) from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:  # a reader may fail in any way on hostile bytes; one file must not stop an ingest
        raise ImageError("truncated", f"damaged header: {_describe(error)}") from error


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


def _decode(image: Image.Image, data: bytes) -> Image.Image:
    """Decodes the first frame to its last row."""
    if KEPT_FORMATS.get(image.format or "") == "jpeg":
        check_jpeg_scans(data, image.width * image.height)
    try:
        image.load()
    except Exception as error:  # as above: the decoders raise OSError, SyntaxError, struct.error, KeyError and more
        raise ImageError("truncated", _describe(error)) from error
    # Pillow is content once it has all pixels. TensorFlow refuses what breaks off behind them.
    if image.format == "PNG":
        check_png(data)
    elif image.format in KEPT_FORMATS:
        check_jpeg(data, cmyk=image.mode == "CMYK")
    if image.mode in ("I", "F", "LAB", "HSV"):
        raise ImageError("unsupported_format", f"{image.format} of mode {image.mode}: export it as 8-bit JPEG or PNG")
    return image


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where the note is missing or damaged, as image viewers take it."""
    try:
        orientation: int = image.getexif().get(EXIF_ORIENTATION, 1)
        return orientation
    except Exception:  # as above; the pixels are whole, so that the image is not lost for its note
        return 1


def _without_transparency(picture: Image.Image) -> Image.Image:
    """Returns `picture` on the background if anything of it is transparent, else `picture` itself."""
    if not picture.has_transparency_data:
        return picture
    layer = picture.convert("RGBA")
    least_opaque, _ = layer.getchannel("A").getextrema()
    if least_opaque == 255:
        return picture
    canvas = Image.new("RGBA", layer.size, BACKGROUND)
    canvas.alpha_composite(layer)
    return canvas.convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Keeps the upper byte of 16-bit gray, as TensorFlow does; Pillow's own conversion would clip at 255."""
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _as_png(picture: Image.Image) -> bytes:
    plain = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
