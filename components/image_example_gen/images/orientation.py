"""The EXIF orientation of a JPEG or PNG, by the rules that the served model follows.

trainer/orientation.py reads the same in TensorFlow's operations: whatever one of the two finds, the other has to find
as well, damaged notes included. That is why Pillow, which also looks into XMP and text chunks, is not asked.
"""

import struct

from components.image_example_gen.images import jpeg_segments
from components.image_example_gen.images.damage import PNG_SIGNATURE

# The limits of trainer/orientation.py.
SEGMENTS = 1000
WINDOW = 1024
CHUNKS = 20_000
EXIF_BYTES = 65_536
_ENTRY = 12
_TAG, _SHORT, _LONG = 0x0112, 3, 4


def read_orientation(data: bytes) -> int:
    """Returns the orientation, 1 to 8, that the first Exif segment or eXIf chunk notes; 1, upright, if none does."""
    if data.startswith(jpeg_segments.START):
        return _orientation_in_tiff(_exif_of_jpeg(data))
    if data.startswith(PNG_SIGNATURE):
        return _orientation_in_tiff(_exif_of_png(data))
    return 1


def _exif_of_jpeg(data: bytes) -> bytes:
    position = 2
    for _ in range(SEGMENTS):
        segment = jpeg_segments.MARKER.search(data, position, position + WINDOW)
        if segment is None:
            position += WINDOW - 1
            if position >= len(data):
                break
            continue
        kind, length = segment[0][1], int.from_bytes(data[segment.end() : segment.end() + 2], "big")
        if kind == 0xE1 and length >= 8 and data[segment.end() + 2 : segment.end() + 8] == b"Exif\0\0":
            return data[segment.end() + 8 : segment.end() + min(length, 8 + EXIF_BYTES)]
        if kind in (jpeg_segments.SCAN, jpeg_segments.END):
            break
        position = segment.end() + max(length, 2)
    return b""


def _exif_of_png(data: bytes) -> bytes:
    position = len(PNG_SIGNATURE)
    for _ in range(CHUNKS):
        if position + 8 > len(data):
            break
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"eXIf":
            return data[position + 8 : position + 8 + min(size, EXIF_BYTES)]
        if kind == b"IEND":
            break
        position += 12 + size
    return b""


def _orientation_in_tiff(tiff: bytes) -> int:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    if directory + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, directory)
    entries = tiff[directory + 2 : directory + 2 + count * _ENTRY]
    for start in range(0, len(entries) - _ENTRY + 1, _ENTRY):
        tag, kind, values = struct.unpack_from(f"{order}HHI", entries, start)
        if tag == _TAG:
            if kind not in (_SHORT, _LONG) or values != 1:
                return 1
            (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", entries, start + 8)
            return value if 1 <= value <= 8 else 1
    return 1
