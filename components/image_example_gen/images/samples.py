"""The samples of a decoded picture: fewer bits, an opaque ground, and whether they are the photo at all."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from components.image_example_gen.images.damage import ImageError

BACKGROUND = (255, 255, 255, 255)  # transparent pixels are shown on white, as on a page
# Microscopes and X-ray devices write fewer bits into 16, whose upper byte would be nearly black. 14 bits are not among
# these, because a dark picture of 16 looks the same. trainer/decoding.py does as much with PNG.
DEPTHS = (8, 10, 12, 16)
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE = 254, 258  # tags of TIFF
_REDUCED = 1  # the bit of the former for a smaller copy of another picture in the file
_RAW_PHOTO = "a raw photo (NEF, DNG, CR2 and the like): develop it and export it as JPEG or TIFF"


def check_not_a_preview(image: Image.Image) -> None:
    """Checks that the first picture of a TIFF is the photo.

    Raises:
        ImageError: "unsupported_format" if it is only the preview that a camera puts into a raw photo.
    """
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED:
        width, height = image.size
        raise ImageError(
            "unsupported_format", f"its first picture is a preview of {width} x {height} pixels, as in {_RAW_PHOTO}"
        )


def eight_bit(picture: Image.Image) -> Image.Image:
    """Returns a picture of one channel with more than 8 bits as one of 8 (LA if one of its levels is transparent).

    Integers keep the upper 8 of the bits that the picture makes use of: those that a TIFF declares, if fewer than 16,
    else the least of `DEPTHS` that hold its brightest pixel. Floating-point samples count from 0 to 1 or, if one is
    above 1, from 0 to 255.

    Raises:
        ImageError: "unsupported_format" for any other range, and for colours that no reader shows (LAB, HSV).
    """
    if picture.mode in ("LAB", "HSV"):
        raise _unsupported(picture, "export it as 8-bit JPEG or PNG")
    if picture.mode == "F":
        return Image.fromarray(_from_float(picture))
    if picture.mode != "I" and not picture.mode.startswith("I;16"):
        return picture
    samples = np.asarray(picture).astype(np.int64)
    lowest, brightest = int(samples.min()), int(samples.max())
    if lowest < 0 or brightest >= 1 << DEPTHS[-1]:
        raise _unsupported(picture, f"samples from {lowest:,} to {brightest:,}: scale them to 8 or 16 bits")
    gray = (samples >> (_depth(picture, brightest) - 8)).astype(np.uint8)
    key = picture.info.get("transparency")
    if not isinstance(key, int):
        return Image.fromarray(gray)
    return Image.fromarray(np.dstack([gray, np.where(samples == key, 0, 255).astype(np.uint8)]), "LA")


def without_transparency(picture: Image.Image) -> Image.Image:
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


def _depth(picture: Image.Image, brightest: int) -> int:
    if isinstance(picture, TiffImageFile):
        declared = int(picture.tag_v2.get(_BITS_PER_SAMPLE, (DEPTHS[-1],))[0])
        if DEPTHS[0] <= declared < DEPTHS[-1]:
            return declared
    return next(depth for depth in DEPTHS if brightest < 1 << depth)


def _from_float(picture: Image.Image) -> NDArray[np.uint8]:
    samples = np.asarray(picture)
    lowest, brightest = float(samples.min()), float(samples.max())
    if not (lowest >= 0 and brightest <= 255):  # nor where one is no number
        raise _unsupported(picture, f"samples from {lowest:g} to {brightest:g}: scale them to 0 to 1")
    pixels: NDArray[np.uint8] = np.rint(samples * (255 if brightest <= 1 else 1)).astype(np.uint8)
    return pixels


def _unsupported(picture: Image.Image, what: str) -> ImageError:
    return ImageError("unsupported_format", f"{picture.format or 'an image'} of mode {picture.mode}: {what}")
