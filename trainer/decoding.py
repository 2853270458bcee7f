"""From the bytes of a photo to its pixels as a person sees them, in TensorFlow's own operations.

The graph that training and serving share begins here, so that a file's bytes sent to the pushed model get the
answer for the picture that the ingest saw: upright, on white where it is transparent, with all of its contrast. What
`tf.io.decode_image` does not read (WebP, TIFF, HEIC, AVIF) stays an error.
"""

import tensorflow as tf

from trainer.orientation import PNG_SIGNATURE, read_orientation, set_upright

# Adobe's segment, transform 0. Without it TensorFlow takes four inks for what is left of the paper, and Pillow, as
# browsers do, still for inks: 0 is full.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
_HAS_ADOBE = r"\C*\x00\x0eAdobe\x00\C*"
_INKS = 4
_BIT_DEPTH, _COLOUR_TYPE = 24, 25  # where a PNG says them
_WHITE = 255


def decode_photo(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG, PNG, GIF (its first frame) or BMP to uint8 (height, width, 3), upright.

    Args:
      encoded: scalar string.
    """
    pixels = tf.cond(
        tf.equal(tf.strings.substr(encoded, 0, len(PNG_SIGNATURE)), PNG_SIGNATURE),
        lambda: _decode_png(encoded),
        lambda: tf.io.decode_image(_with_adobe(encoded), channels=3, expand_animations=False),
    )
    pixels.set_shape([None, None, 3])
    return set_upright(pixels, read_orientation(encoded))


def _with_adobe(encoded: tf.Tensor) -> tf.Tensor:
    """A JPEG of four inks without Adobe's segment gets it; anything else stays."""

    def of_jpeg() -> tf.Tensor:
        return tf.cond(tf.equal(tf.image.extract_jpeg_shape(encoded)[2], _INKS), of_inks, lambda: encoded)

    def of_inks() -> tf.Tensor:
        return tf.cond(
            tf.strings.regex_full_match(encoded, _HAS_ADOBE),
            lambda: encoded,
            lambda: tf.strings.join([b"\xff\xd8", _ADOBE, tf.strings.substr(encoded, 2, 2**31 - 1)]),
        )

    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, 3), b"\xff\xd8\xff")
    return tf.cond(is_jpeg, of_jpeg, lambda: encoded)


def _decode_png(encoded: tf.Tensor) -> tf.Tensor:
    """As `decode_image`, but transparent pixels on white, and 16-bit gray with the contrast that it has."""
    header = tf.strings.substr(encoded, _BIT_DEPTH, 2)
    layer = tf.cond(
        tf.equal(header, b"\x10\x00"),
        lambda: _eight_bit(tf.io.decode_png(encoded, channels=4, dtype=tf.uint16)),
        lambda: tf.io.decode_png(encoded, channels=4),
    )
    # TensorFlow 2.16 to 2.21 fill the alpha of fewer than 8 bits a sample in before they widen it (png_io.cc): what is
    # opaque comes out as 1, 3 or 15.
    depth = tf.cast(tf.io.decode_raw(header, tf.uint8)[0], tf.int32)
    filler = tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1
    colours, alpha = layer[..., :3], tf.cast(layer[..., 3:], tf.int32)
    least, most = tf.reduce_min(alpha), tf.reduce_max(alpha)
    opaque = (least == 255) | ((least == filler) & (most == filler))

    def on_white() -> tf.Tensor:
        mixed = tf.cast(colours, tf.int32) * alpha + _WHITE * (255 - alpha)
        return tf.cast((mixed + 127) // 255, tf.uint8)

    return tf.cond(opaque, lambda: colours, on_white)


def _eight_bit(layer: tf.Tensor) -> tf.Tensor:
    """16-bit gray with alpha, (height, width, 4), to uint8: the upper 8 of the bits that the picture makes use of.

    Microscopes and X-ray devices write 10 or 12 bits into 16, whose upper byte would be nearly black. The depth is the
    least of 8, 10, 12 and 16 bits that holds the brightest pixel, as in components/image_example_gen/images/samples.py.
    """
    gray = tf.cast(layer[..., :3], tf.int32)
    brightest = tf.reduce_max(gray)
    shift = tf.reduce_sum(tf.where(brightest >= tf.constant([1 << 8, 1 << 10, 1 << 12]), [2, 2, 4], 0))
    alpha = tf.bitwise.right_shift(tf.cast(layer[..., 3:], tf.int32), 8)
    return tf.cast(tf.concat([tf.bitwise.right_shift(gray, shift), alpha], -1), tf.uint8)
