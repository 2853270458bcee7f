"""The EXIF orientation of a JPEG or PNG, read and applied in TensorFlow's own operations.

A camera that was held upright stores the picture as its sensor lies and notes how to turn it. `tf.io.decode_image`
ignores the note, so that a served model would see a phone's photo lying on its side. The rules are those of
components/image_example_gen/images/orientation.py, which the ingest follows: the first Exif segment of a JPEG or the
first eXIf chunk of a PNG counts; where it is damaged, the picture stays as it is. Nothing here fails, whatever bytes it
gets.
"""

from collections.abc import Callable

import tensorflow as tf

# Limits of work on bytes that someone made up: what lies behind them is not looked for.
SEGMENTS = 1000  # of a JPEG, or stretches of WINDOW bytes between two segments
WINDOW = 1024
CHUNKS = 20_000  # of a PNG, whose pixels some programs cut into pieces of 8 kB
EXIF_BYTES = 65_536
_HAS_EXIF = r"\C*(?:Exif\x00\x00|eXIf)\C*"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ENTRY = 12  # bytes of an entry in a TIFF directory: tag, type, count, value
_TAG, _SHORT, _LONG = 0x0112, 3, 4


def read_orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the orientation, int64 from 1 to 8, of encoded bytes; 1, upright, if they note none.

    Args:
      encoded: scalar string, of any format or of none.
    """
    # Most images have no EXIF at all: one fast look at the bytes spares them the walk through the segments.
    return tf.cond(
        tf.strings.regex_full_match(encoded, _HAS_EXIF),
        lambda: _orientation_in_tiff(_exif(encoded)),
        lambda: tf.constant(1, tf.int64),
    )


def set_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors (height, width, channels) so that the picture stands as the camera saw it.

    Args:
      pixels: of any type.
      orientation: scalar integer, 1 to 8 as EXIF defines them.
    """

    def when(numbers: tuple[int, ...], change: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor) -> tf.Tensor:
        is_one = tf.reduce_any(tf.equal(orientation, tf.constant(numbers, orientation.dtype)))
        return tf.cond(is_one, lambda: change(image), lambda: image)

    def turned() -> tf.Tensor:
        image = when((5, 6, 7, 8), lambda image: tf.transpose(image, [1, 0, 2]), pixels)
        image = when((2, 3, 6, 7), lambda image: tf.reverse(image, [1]), image)
        return when((3, 4, 7, 8), lambda image: tf.reverse(image, [0]), image)

    return tf.cond(tf.equal(orientation, 1), lambda: pixels, turned)


def _exif(encoded: tf.Tensor) -> tf.Tensor:
    """The TIFF structure of the first EXIF note, scalar string; empty if there is none."""
    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, 2), b"\xff\xd8")
    is_png = tf.equal(tf.strings.substr(encoded, 0, 8), PNG_SIGNATURE)
    return tf.cond(
        is_jpeg,
        lambda: _exif_of_jpeg(encoded),
        lambda: tf.cond(is_png, lambda: _exif_of_png(encoded), lambda: tf.constant(b"")),
    )


def _exif_of_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    length = _length(encoded)

    def step(position: tf.Tensor, _begin: tf.Tensor, _size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        window = _bytes(tf.strings.substr(encoded, position, WINDOW))
        code = window[1:]
        # As libjpeg: 0xff before 0 is a byte of pixels, 1 and 0xd0 to 0xd8 mark nothing, more 0xff fill up.
        marks = (window[:-1] == 0xFF) & (code > 1) & ((code < 0xD0) | (code > 0xD8)) & (code != 0xFF)
        found = tf.reduce_any(marks)
        segment = position + _first(marks)
        head = _bytes(_slice(encoded, segment, 4))
        kind, content = _number(head[1:2]), _number(head[2:4])
        is_exif = (
            found & tf.equal(kind, 0xE1) & (content >= 8) & tf.equal(_slice(encoded, segment + 4, 6), b"Exif\x00\x00")
        )
        # The pixels begin with 0xda; 0xd9 ends the picture.
        over = is_exif | (found & ((kind == 0xDA) | (kind == 0xD9)))
        behind = tf.where(found, segment + 2 + tf.maximum(content, 2), position + WINDOW - 1)
        return tf.where(over, length, behind), segment + 10, tf.where(is_exif, content - 8, 0)

    return _walk(encoded, step, 2, SEGMENTS)


def _exif_of_png(encoded: tf.Tensor) -> tf.Tensor:
    length = _length(encoded)

    def step(position: tf.Tensor, _begin: tf.Tensor, _size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        size = _number(_bytes(tf.strings.substr(encoded, position, 4)))
        kind = _slice(encoded, position + 4, 4)
        is_exif = tf.equal(kind, b"eXIf")
        over = is_exif | tf.equal(kind, b"IEND")
        return tf.where(over, length, position + 12 + size), position + 8, tf.where(is_exif, size, 0)

    return _walk(encoded, step, len(PNG_SIGNATURE), CHUNKS)


def _walk(encoded: tf.Tensor, step: Callable[..., tuple[tf.Tensor, ...]], start: int, most: int) -> tf.Tensor:
    """Follows `step` (position, begin, size) -> (next position, begin, size) to the end; the bytes found last."""
    length = _length(encoded)
    zero = tf.constant(0, tf.int64)
    _, begin, size = tf.while_loop(
        lambda position, _begin, _size: position < length,
        step,
        (tf.constant(start, tf.int64), zero, zero),
        maximum_iterations=most,
    )
    return _slice(encoded, begin, tf.minimum(size, EXIF_BYTES))


def _orientation_in_tiff(tiff: tf.Tensor) -> tf.Tensor:
    content = _bytes(tiff)
    order = tf.strings.substr(tiff, 0, 4)
    little = tf.equal(order, b"II*\x00")

    def number(some: tf.Tensor) -> tf.Tensor:
        return _number(tf.cond(little, lambda: tf.reverse(some, [-1]), lambda: some))

    directory = tf.minimum(number(content[4:8]), EXIF_BYTES)
    count = number(content[directory : directory + 2])
    entries = content[directory + 2 : directory + 2 + count * _ENTRY]
    entries = tf.reshape(entries[: tf.size(entries) // _ENTRY * _ENTRY], [-1, _ENTRY])
    tags = number(entries[:, :2])
    # A row of nothing behind them stands in for the entry that is missing.
    entry = tf.concat([entries, tf.zeros([1, _ENTRY], tf.int64)], 0)[_first(tags == _TAG)]
    kind, values = number(entry[2:4]), number(entry[4:8])
    value = tf.where(tf.equal(kind, _SHORT), number(entry[8:10]), number(entry[8:12]))
    valid = (
        (little | tf.equal(order, b"MM\x00*"))
        & ((kind == _SHORT) | (kind == _LONG))
        & tf.equal(values, 1)
        & (value >= 1)
        & (value <= 8)
    )
    return tf.where(valid, value, tf.constant(1, tf.int64))


def _first(marks: tf.Tensor) -> tf.Tensor:
    """The index of the first true value, (n,) to scalar int64; n if there is none."""
    return tf.argmax(tf.concat([marks, [True]], 0))


def _length(encoded: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(encoded), tf.int64)


def _slice(encoded: tf.Tensor, begin: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    """The bytes from `begin`, as many as there are: `tf.strings.substr` fails behind the end."""
    return tf.strings.substr(encoded, tf.minimum(begin, _length(encoded)), tf.cast(size, tf.int64))


def _bytes(encoded: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int64)


def _number(some: tf.Tensor) -> tf.Tensor:
    """Big-endian bytes (..., n) as int64 (...); 0 where there are none."""
    places = tf.bitwise.left_shift(tf.constant(1, tf.int64), 8 * tf.range(tf.shape(some, tf.int64)[-1])[::-1])
    return tf.reduce_sum(some * places, axis=-1)
