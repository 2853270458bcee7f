"""Finds damage in a JPEG or PNG that Pillow passes over."""

import re
import struct
import zlib

import simplejpeg

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_END = b"\xff\xd9"
_JPEG_SCAN = b"\xff\xda"
# A progressive JPEG has 10 scans, some 20 where a program looks for the smallest file. A scan may be a few bytes, and
# costs a pass over all pixels.
MOST_SCANS, MOST_SCANNED = 64, 1_000_000_000  # scans; scans x pixels
# Not segments: 0xff as a pixel's byte (followed by 0), marks without content (1, restarts, the start) and fill bytes.
_JPEG_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)


class ImageError(ValueError):
    """An image that cannot become an example.

    Attributes:
        reason: a stable code: empty_file, not_an_image, truncated (cut short or damaged), too_many_pixels,
            too_many_scans or unsupported_format.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def check_png(data: bytes) -> None:
    """Checks the chunks (length, type, content, checksum) up to a whole IEND.

    Pillow also takes pixels with a wrong checksum, TensorFlow does not.

    Raises:
        ImageError: "truncated".
    """
    view = memoryview(data)
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        critical = kind[:1].isupper()  # readers pass over a damaged chunk of any other kind
        if critical and zlib.crc32(view[position + 4 : end]).to_bytes(4, "big") != view[end : end + 4]:
            raise ImageError("truncated", f"wrong checksum of the PNG's {kind.decode('latin-1')} at byte {position}")
        if kind == b"IEND":
            return
        position += 12 + length
    raise ImageError("truncated", f"the PNG breaks off after {len(data)} bytes, before its end mark")


def check_jpeg_scans(data: bytes, pixels: int) -> None:
    """Checks that decoding a JPEG does not take minutes; to be called before that.

    Args:
        data: the file.
        pixels: width x height.

    Raises:
        ImageError: "too_many_scans".
    """
    most = min(MOST_SCANS, max(1, MOST_SCANNED // max(pixels, 1)))
    scans = position = 0
    while (segment := _JPEG_SEGMENT.search(data, position)) and segment[0] != JPEG_END:
        scans += segment[0] == _JPEG_SCAN
        if scans > most:
            raise ImageError("too_many_scans", f"a JPEG of more than {most} scans: save it anew")
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")


def check_jpeg(data: bytes, cmyk: bool) -> None:
    """Checks that a JPEG with pixels has its end, and that nothing within the pixels is damaged.

    Raises:
        ImageError: "truncated".
    """
    _check_jpeg_end(data)
    _check_jpeg_scan(data, cmyk)


def _check_jpeg_end(data: bytes) -> None:
    """Checks that the segments (0xff, type, length, content) and the scans between them lead to an end mark.

    A thumbnail's end mark, inside a segment, does not count; whatever phones append behind the end may stay.
    """
    position = 0
    while segment := _JPEG_SEGMENT.search(data, position):
        if segment[0] == JPEG_END:
            return
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
    raise ImageError("truncated", f"the JPEG has no end mark in its {len(data)} bytes")


def _check_jpeg_scan(data: bytes, cmyk: bool) -> None:
    """Checks that the compressed pixels can be read without a guess.

    After damage within a scan, Pillow and TensorFlow both go on with what happens to come out. The decoder notices most
    of it and warns, which only this binding passes on; a change that leaves the codes in step cannot be noticed.
    """
    try:
        simplejpeg.decode_jpeg(data, "CMYK" if cmyk else "GRAY", strict=True)
    except ValueError as error:
        raise ImageError("truncated", f"the JPEG is damaged within its pixels: {error}") from error
