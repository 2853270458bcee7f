"""Image files as cameras, phones, scanners and microscopes write them, made here rather than kept."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112


def encode(picture: Image.Image, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    """Returns a TIFF structure as cameras write it, with the orientation amid other notes."""
    note = Image.Exif()
    note.endian = order
    note[0x010F], note[0x0110], note[ORIENTATION] = "Maker", "Model 1", orientation
    return note.tobytes()


def segment(kind: int, content: bytes) -> bytes:
    """Returns a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Returns a JPEG with segments, or stray bytes, behind its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, extra: bytes, at_the_end: bool = False) -> bytes:
    """Returns a PNG with a chunk behind its header, or in front of its end mark."""
    place = len(png) - 12 if at_the_end else 33
    return png[:place] + extra + png[place:]


def png(samples: np.ndarray, depth: int, colour_type: int, *chunks: bytes) -> bytes:
    """Returns a PNG of any depth and type: integer samples (height, width) or (height, width, channels)."""
    height, width = samples.shape[:2]
    if depth >= 8:
        rows = [row.astype(f">u{depth // 8}").tobytes() for row in samples.reshape(height, -1)]
    else:
        bits = samples.reshape(height, -1, 1) >> np.arange(depth)[::-1] & 1
        rows = [np.packbits(row.astype(np.uint8).ravel()).tobytes() for row in bits]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return PNG_SIGNATURE + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def without_adobe_marker(jpeg: bytes) -> bytes:
    """Returns a JPEG of four inks that does not say whose they are."""
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :]
