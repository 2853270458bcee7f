"""Finds damage in a JPEG or PNG that Pillow passes over, and passes over what is no damage.

A decoder warns of much that leaves every pixel whole: a version of JFIF that it does not know, stray bytes between two
segments, zeros in front of the end mark, odd numbers in a phone's scan header. A JPEG is damaged if its compressed
pixels cannot be read without a guess, or do not end where they should. `python -m benchmarks.damage` counts what is
found.
"""

import re
import struct
import zlib

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from components.image_example_gen.images import jpeg_segments

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A progressive JPEG has 10 scans, some 20 where a program looks for the smallest file. A scan may be a few bytes, and
# costs a pass over all pixels.
MOST_SCANS, MOST_SCANNED = 64, 1_000_000_000  # scans; scans x pixels
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# Of a PNG's tRNS, by the colour type in the header's byte 25.
_TRANSPARENCY_BYTES = {b"\0": range(2, 3), b"\2": range(6, 7), b"\3": range(1, 257)}
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_UNUSUAL_SAMPLING = "subsampling"
_MOST_SCANS = 12


_BYTES_PER_PIXEL = 8  # of an uncompressed image of four 16-bit channels
_BYTES_OF_NOTES = 16_000_000  # what cameras write beside the pixels


class ImageError(ValueError):
    """An image that cannot become an example.

    Attributes:
        reason: a stable code: empty_file, not_an_image, truncated (cut short or damaged), too_many_bytes,
            too_many_pixels, too_many_scans or unsupported_format.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def most_bytes(max_pixels: int) -> int:
    """How many bytes a file can have whose image has so many pixels."""
    return max_pixels * _BYTES_PER_PIXEL + _BYTES_OF_NOTES


def check_size(size: int, max_pixels: int) -> None:
    """Checks the size of a file, in bytes, that has not been read yet.

    Raises:
        ImageError: if no image of so many pixels is as large.
    """
    if size > most_bytes(max_pixels):
        raise ImageError("too_many_bytes", f"{size:,} bytes are too many for an image")


def png_pixels(data: bytes) -> bytes:
    """Checks the chunks that hold pixels (length, type, content, checksum) up to a whole IEND and returns only these.

    Whatever else a PNG holds (profiles, texts, times, an animation), malformed or not, is left out: Pillow would refuse
    some of it, and no reader needs it for the pixels. Pillow also takes pixels with a wrong checksum, TensorFlow does
    not.

    Raises:
        ImageError: "truncated", or "unsupported_format" where it has pixels in a way of its own.
    """
    view = memoryview(data)
    pieces = [view[: len(PNG_SIGNATURE)]]
    position = len(PNG_SIGNATURE)
    seen_pixels = False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        critical = kind[:1].isupper()
        whole = zlib.crc32(view[position + 4 : end]).to_bytes(4, "big") == view[end : end + 4]
        if critical and not whole:
            raise ImageError("truncated", f"wrong checksum of the PNG's {kind.decode('latin-1')} at byte {position}")
        if critical and kind not in _CRITICAL:
            raise ImageError(
                "unsupported_format", f"a PNG with {kind.decode('latin-1')}, which no reader knows: export it as JPEG"
            )
        seen_pixels |= kind == b"IDAT"
        lengths = _TRANSPARENCY_BYTES.get(data[25:26], range(0))
        transparency = kind == b"tRNS" and whole and not seen_pixels and length in lengths
        if critical or transparency:
            pieces.append(view[position : end + 4])
        if kind == b"IEND":
            return b"".join(pieces)
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
    scans = 0
    for kind, _, _ in jpeg_segments.segments(data):
        scans += kind == jpeg_segments.SCAN
        if scans > most:
            raise ImageError("too_many_scans", f"a JPEG of more than {most} scans: save it anew")


def check_jpeg(data: bytes, cmyk: bool) -> NDArray[np.uint8] | None:
    """Checks that a JPEG with pixels has its end, and that nothing within the pixels is damaged.

    Returns:
        Its luma, uint8 (height, width), unless the decoder that tells of damage has none for this kind of JPEG.

    Raises:
        ImageError: "truncated".
    """
    end = _end(data)
    try:
        luma = _decode_strictly(data, cmyk)
    except ValueError as warning:
        if _UNUSUAL_SAMPLING in str(warning):
            _check_markers(data)
            return None
        luma = _decode_without_padding(jpeg_segments.without_notes(data[:end], colours=False), cmyk)
    return None if cmyk else luma[..., 0]


def _end(data: bytes) -> int:
    """Returns where a JPEG ends, its end mark included."""
    for kind, _, end in jpeg_segments.segments(data):
        if kind == jpeg_segments.END:
            return end
    raise ImageError("truncated", f"the JPEG has no end mark in its {len(data)} bytes")


def _decode_strictly(data: bytes, cmyk: bool) -> NDArray[np.uint8]:
    """Decodes the luma or the inks of a JPEG, (height, width, 1 or 4).

    After damage within a scan, Pillow and TensorFlow both go on with what happens to come out. The decoder notices most
    of it and warns, which only this binding passes on.

    Raises:
        ValueError: the decoder's first warning.
    """
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "CMYK" if cmyk else "GRAY", strict=True)
    return pixels


def _decode_without_padding(data: bytes, cmyk: bool) -> NDArray[np.uint8]:
    """As `_decode_strictly`, for a JPEG without notes; zeros behind the pixels of a scan do not count."""
    for _ in range(_MOST_SCANS):
        try:
            return _decode_strictly(data, cmyk)
        except ValueError as warning:
            shorter = _without_zeros(data, str(warning))
            if shorter is None:
                raise _damaged(str(warning)) from warning
            data = shorter
    raise _damaged("zeros behind every scan")


def _without_zeros(data: bytes, warning: str) -> bytes | None:
    """Takes out the bytes that a decoder warned of, if they are zeros behind a scan; None if they are not."""
    extraneous = _EXTRANEOUS.search(warning)
    if extraneous is None:
        return None
    count, marker = int(extraneous[1]), int(extraneous[2], 16)
    scan_seen = False
    for kind, begin, _ in jpeg_segments.segments(data):
        if scan_seen and kind == marker and data[begin - count : begin] == bytes(count):
            return data[: begin - count] + data[begin:]
        scan_seen |= kind == jpeg_segments.SCAN
    return None


def _check_markers(data: bytes) -> None:
    """Checks that no marker lies within the pixels.

    That is less than the decoder's warnings tell, which TurboJPEG gives for the usual samplings only.
    """
    scan_seen = False
    for kind, begin, _ in jpeg_segments.segments(data):
        if scan_seen and kind not in (jpeg_segments.END, jpeg_segments.SCAN, 0xC4, 0xCC, 0xDB, 0xDD, 0xFE):
            raise _damaged(f"the marker 0x{kind:02x} at byte {begin}")
        scan_seen |= kind == jpeg_segments.SCAN


def _damaged(how: str) -> ImageError:
    return ImageError("truncated", f"the JPEG is damaged within its pixels: {how}")
