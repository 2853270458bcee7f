"""From an image as a client sends it to the pixels that the network was trained on, without TensorFlow.

`network_pixels(data)` equals the SavedModel's `pixels` of `normalise_image(data)`: what ingest, Transform graph and
training made of the same file. trainer/preprocessing.py has the same steps as TensorFlow operations.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from components.common.geometry import CROP_PADDING
from components.common.model_info import ModelInfo
from components.image_example_gen.images.codec import is_upright_jpeg, open_image, read_picture
from components.image_example_gen.images.jpeg_segments import without_notes
from components.serving_engine.bicubic import resize_bicubic

Pixels = NDArray[np.uint8]
# Keys of the trainer's model.json.
NOTED = {
    "resize": "transform.resize",
    "margin": "transform.margin",
    "stored_format": "transform.format",
    "jpeg_quality": "transform.jpeg_quality",
}


@dataclass(frozen=True)
class PixelSpec:
    """How a model's training images were made.

    Attributes:
        image_size: pixels a side that the network sees.
        resize: crop, squash or pad.
        margin: pixels a side that were stored beyond `image_size`.
        stored_format: jpeg, png or raw: what the resized image was stored as; only JPEG changes it.
        jpeg_quality: of the former.
    """

    image_size: int
    resize: str
    margin: int
    stored_format: str
    jpeg_quality: int

    @classmethod
    def from_info(cls, info: ModelInfo) -> "PixelSpec":
        """Reads it from the trainer's model.json.

        Raises:
            ValueError: if the model does not say.
        """
        missing = [key for key in ("image_size", *NOTED.values()) if key not in info]
        if missing:
            raise ValueError(f"its model.json does not have {', '.join(missing)}")
        noted: dict[str, Any] = dict(info)  # as JSON has it
        return cls(image_size=info["image_size"], **{field: noted[key] for field, key in NOTED.items()})


def network_pixels(data: bytes, spec: PixelSpec, max_pixels: int) -> Pixels:
    """Returns what the network sees of an encoded image: uint8 (size, size, 3).

    Raises:
        ImageError: if there is no complete image of a known format in `data`, or one of more than `max_pixels`.
    """
    resized = resize(decode(data, max_pixels), spec)
    edge = spec.margin // 2
    stored = _store_as_jpeg(resized, spec.jpeg_quality) if spec.stored_format == "jpeg" else resized
    return stored[edge : edge + spec.image_size, edge : edge + spec.image_size]


def decode(data: bytes, max_pixels: int) -> Pixels:
    """Decodes an image as ingest and `tf.io.decode_image` together do: uint8 (height, width, 3).

    Raises:
        ImageError: see `network_pixels`.
    """
    image = open_image(data, max_pixels)
    plain = is_upright_jpeg(data, image)
    if plain and (pixels := _decode_jpeg(data, strict=True)) is not None:
        return pixels
    picture = read_picture(data, max_pixels)
    # The decoder refuses a header that TensorFlow only warns of.
    for whole in (data, without_notes(data, colours=True)) if plain else ():
        if (pixels := _decode_jpeg(whole, strict=False)) is not None:
            return pixels
    return np.asarray(picture.image.convert("RGB"))


def resize(pixels: Pixels, spec: PixelSpec) -> Pixels:
    """Resizes uint8 (height, width, 3) to a side of `image_size` + `margin`, see `trainer.preprocessing`."""
    side = spec.image_size + spec.margin
    height, width = pixels.shape[:2]
    if spec.resize == "pad":
        # In float32, as tf.image.resize_with_pad has it: its rounding decides about a row.
        pixels = _at_least_one_pixel(pixels, side)
        height, width = pixels.shape[:2]
        ratio = np.float32(max(np.float32(height) / np.float32(side), np.float32(width) / np.float32(side)))
        tall, wide = np.float32(height) / ratio, np.float32(width) / ratio
        top, left = int((np.float32(side) - tall) / 2), int((np.float32(side) - wide) / 2)
        inner = _to_uint8(resize_bicubic(pixels, int(tall), int(wide)))
        canvas = np.zeros((side, side, 3), np.uint8)
        canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return canvas
    if spec.resize == "crop":
        cut = max(min(height, width) * side // (spec.image_size + CROP_PADDING), 1)
        top, left = (height - cut) // 2, (width - cut) // 2
        pixels = np.ascontiguousarray(pixels[top : top + cut, left : left + cut])
    return _to_uint8(resize_bicubic(pixels, side, side))


def _at_least_one_pixel(pixels: Pixels, side: int) -> Pixels:
    """Repeats the rows or columns of an image so thin that none would be left, see `trainer.preprocessing`."""
    height, width = pixels.shape[:2]
    times = max(height, width) // (side * min(height, width)) + 1
    return np.repeat(pixels, times, axis=0 if height < width else 1) if times > 1 else pixels


def _decode_jpeg(data: bytes, strict: bool) -> Pixels | None:
    """Decodes with the fast inverse DCT, which `tf.io.decode_image` takes; None if the decoder objects."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", fastdct=True, strict=strict)
    except ValueError:
        return None
    return pixels


def _store_as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Encodes and decodes, as the images that were trained on were stored.

    By Pillow: TensorFlow encodes with the accurate DCT, and simplejpeg 1.9 with the fast one, whatever it is told.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=0)
    decoded = _decode_jpeg(stream.getvalue(), strict=False)
    if decoded is None:
        raise AssertionError("a JPEG that was just encoded cannot be decoded")
    return decoded


def _to_uint8(resized: NDArray[np.float32]) -> Pixels:
    """Rounds half to even and clips, as tf.round and tf.saturate_cast do."""
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
