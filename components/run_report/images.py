"""Small copies of images, as data URIs."""

import base64
import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from components.image_example_gen.images.codec import READABLE_FORMATS

THUMBNAIL, GALLERY = 96, 160  # pixels a side
QUALITY = 80
HEAT_SHARE = 0.5  # of the overlay, where it is hottest
# A file that was left out may be anything. Larger ones are not decoded.
MOST_BYTES, MOST_PIXELS = 50_000_000, 100_000_000


def thumbnail(encoded: bytes, side: int = THUMBNAIL) -> str:
    """Returns a JPEG of at most `side` pixels a side as a data URI; "" if the bytes hold no picture.

    Of a damaged file it shows as much as can be read.
    """
    if len(encoded) > MOST_BYTES:
        return ""
    Image.init()
    known = [name for name in READABLE_FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(encoded), formats=known)
            if image.width * image.height > MOST_PIXELS:
                return ""
            image.draft("RGB", (2 * side, 2 * side))
            _load_what_is_there(image)
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (
        Exception
    ):  # a reader may fail in any way on hostile bytes, AVIF's with RuntimeError; the report says what it is
        return ""
    upright.thumbnail((side, side))
    return data_uri(upright)


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> str:
    """Returns an image with its heat map over it as a data URI.

    Args:
        pixels: uint8 (height, width, 3).
        heat: float (height, width), 0 to 1.
    """
    from matplotlib import colormaps

    colours = colormaps["inferno"](heat)[..., :3] * 255
    share = HEAT_SHARE + (1 - HEAT_SHARE) / 2 * heat[..., None] - HEAT_SHARE / 2
    grey = pixels.mean(axis=2, keepdims=True)
    return data_uri(_enlarge((grey * (1 - share) + colours * share).astype(np.uint8)))


def as_seen(pixels: NDArray[np.uint8]) -> str:
    """Returns uint8 (height, width, 3) as a data URI."""
    return data_uri(_enlarge(pixels))


def data_uri(image: Image.Image) -> str:
    """Returns an RGB image as a JPEG in a data URI."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _enlarge(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels).resize((GALLERY, GALLERY), Image.Resampling.BICUBIC)


def _load_what_is_there(image: Image.Image) -> None:
    strict = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = strict
