"""Decoding and resizing, once, in the Transform graph that training and serving share.

`preprocessing_fn` is what TFX Transform traces. It turns the encoded bytes of any image that TensorFlow reads into
encoded bytes of the variant's resolution: stored images stay some 20 kB each where a float feature would take 600.
`decode_stored_image` is its counterpart for whoever consumes those bytes, the input pipeline and the export alike.
"""

from typing import Any

import tensorflow as tf

# The reference evaluates on a central crop that leaves a margin: size / (size + 32) of the shorter side
# (tensorflow/tpu, efficientnet/preprocessing.py, CROP_PADDING).
CROP_PADDING = 32


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Resizes a batch of images inside the Transform graph.

    Args:
      inputs: `image`, encoded bytes, and `label`, int64, one each per example.
      custom_config: `image_size` in pixels, `resize` (crop, squash, pad), `format` (jpeg, png), `jpeg_quality`.

    Returns:
      `image`, string tensor of shape (batch,): encoded RGB of image_size x image_size pixels; `label`, int64 (batch,).
    """

    def resize_one(encoded: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        resized = resize_image(pixels, custom_config["image_size"], custom_config["resize"])
        if custom_config["format"] == "png":
            return tf.io.encode_png(resized)
        return tf.io.encode_jpeg(resized, quality=custom_config["jpeg_quality"], chroma_downsampling=False)

    images = tf.reshape(inputs["image"], [-1])
    return {
        "image": tf.map_fn(resize_one, images, fn_output_signature=tf.string),
        "label": tf.reshape(inputs["label"], [-1]),
    }


def resize_image(pixels: tf.Tensor, size: int, mode: str) -> tf.Tensor:
    """Resizes uint8 (height, width, 3) to uint8 (size, size, 3), bicubic with antialiasing.

    `crop` takes the reference's central square, `squash` ignores the aspect, `pad` keeps all and fills with black.

    Raises:
      ValueError: `mode` is none of these.
    """
    pixels.set_shape([None, None, 3])
    if mode == "crop":
        shape = tf.shape(pixels)
        shorter = tf.minimum(shape[0], shape[1])
        side = tf.maximum(shorter * size // (size + CROP_PADDING), 1)
        pixels = tf.slice(pixels, [(shape[0] - side) // 2, (shape[1] - side) // 2, 0], [side, side, 3])
    if mode in ("crop", "squash"):
        resized = tf.image.resize(pixels, [size, size], method="bicubic", antialias=True)
    elif mode == "pad":
        resized = tf.image.resize_with_pad(pixels, size, size, method="bicubic", antialias=True)
    else:
        raise ValueError(f"resize mode {mode!r}: expected crop, squash or pad")
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def decode_stored_image(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes one image that `preprocessing_fn` stored: scalar bytes to uint8 (size, size, 3)."""
    # decode_image reads both stored formats; INTEGER_ACCURATE is its default for JPEG, so every reader sees one result.
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, [size, size, 3])
