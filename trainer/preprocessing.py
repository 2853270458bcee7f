"""Decoding and resizing, once, in the Transform graph that training and serving share.

`preprocessing_fn` is what TFX Transform traces. It turns the encoded bytes of any image that TensorFlow reads into
stored bytes of the variant's resolution, upright: stored images stay some 20 kB each where a float feature would take
600. `decode_stored_image` and `central_image` are its counterparts where those bytes are consumed, in the input
pipeline and in the export.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

from components.common.geometry import CROP_PADDING
from trainer.decoding import decode_photo

if TYPE_CHECKING:
    from trainer.settings import StoreOptions, TransformConfig  # not in Transform's code: types alone


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: "TransformConfig") -> dict[str, tf.Tensor]:
    """Resizes a batch of images inside the Transform graph.

    Args:
      inputs: `image`, encoded bytes, and `label`, int64, one each per example.
      custom_config: `image_size` in pixels, and what `store_image` takes.

    Returns:
      `image`, string tensor of shape (batch,): stored RGB images of image_size + margin pixels a side; `label`, int64
      (batch,); `key`, int64 (batch,), as `image_key` gives it.
    """
    images = tf.reshape(inputs["image"], [-1])
    return {
        "image": tf.map_fn(
            lambda encoded: store_image(encoded, custom_config["image_size"], custom_config),
            images,
            fn_output_signature=tf.string,
        ),
        "label": tf.reshape(inputs["label"], [-1]),
        "key": image_key(images),
    }


def image_key(encoded: tf.Tensor) -> tf.Tensor:
    """What tells images apart, whatever size they are stored at: a hash, int64, of their bytes from the ingest."""
    return tf.strings.to_hash_bucket_fast(encoded, tf.int64.max)


def store_image(encoded: tf.Tensor, size: int, transform: "StoreOptions") -> tf.Tensor:
    """Turns the bytes of one image, as the ingest leaves them, into those that are stored for training.

    Args:
      encoded: scalar string.
      size: pixels a side that the network sees.
      transform: `resize` (crop, squash, pad), `margin` in pixels, `format` (jpeg, png, raw), `jpeg_quality`.
    """
    pixels = decode_photo(encoded)
    resized = resize_image(pixels, size, transform["resize"], transform["margin"])
    if transform["format"] == "raw":
        return tf.io.serialize_tensor(resized)
    if transform["format"] == "png":
        return tf.io.encode_png(resized)
    return tf.io.encode_jpeg(resized, quality=transform["jpeg_quality"], chroma_downsampling=False)


def resize_image(pixels: tf.Tensor, size: int, mode: str, margin: int = 0) -> tf.Tensor:
    """Resizes uint8 (height, width, 3) to uint8 (size + margin, size + margin, 3), bicubic with antialiasing.

    `crop` takes the reference's central square, and `margin` pixels more of what lies around it, so that the central
    `size` pixels are the same picture with and without; `squash` ignores the aspect, `pad` keeps all and fills with
    black.

    Raises:
      ValueError: `mode` is none of these.
    """
    pixels.set_shape([None, None, 3])
    stored = size + margin
    if mode == "crop":
        shape = tf.shape(pixels)
        shorter = tf.minimum(shape[0], shape[1])
        side = tf.maximum(shorter * stored // (size + CROP_PADDING), 1)
        pixels = tf.slice(pixels, [(shape[0] - side) // 2, (shape[1] - side) // 2, 0], [side, side, 3])
    if mode in ("crop", "squash"):
        resized = tf.image.resize(pixels, [stored, stored], method="bicubic", antialias=True)
    elif mode == "pad":
        pixels = _at_least_one_pixel(pixels, stored)
        resized = tf.image.resize_with_pad(pixels, stored, stored, method="bicubic", antialias=True)
    else:
        raise ValueError(f"resize mode {mode!r}: expected crop, squash or pad")
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def _at_least_one_pixel(pixels: tf.Tensor, side: int) -> tf.Tensor:
    """Repeats the rows or columns of an image so thin that none would be left of them at `side` pixels."""
    shape = tf.shape(pixels)
    longer, shorter = tf.reduce_max(shape[:2]), tf.reduce_min(shape[:2])
    times = longer // (side * shorter) + 1
    of_rows, of_columns = tf.unstack(tf.where(shape[0] < shape[1], [times, 1], [1, times]))
    return tf.cond(times > 1, lambda: tf.repeat(tf.repeat(pixels, of_rows, axis=0), of_columns, axis=1), lambda: pixels)


def decode_stored_image(stored: tf.Tensor, side: int, image_format: str = "jpeg") -> tf.Tensor:
    """Decodes one image that `store_image` stored in `image_format`: scalar bytes to uint8 (side, side, 3)."""
    if image_format == "raw":
        return tf.ensure_shape(tf.io.parse_tensor(stored, tf.uint8), [side, side, 3])
    # decode_image reads both other formats. For JPEG it takes the fast inverse DCT, and so does the server's engine.
    pixels = tf.io.decode_image(stored, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, [side, side, 3])


def central_image(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts the margin off: (side, side, 3) to the central (size, size, 3)."""
    edge = (pixels.shape[0] - size) // 2
    return pixels[edge : edge + size, edge : edge + size]
