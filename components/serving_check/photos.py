"""Photos of the kinds that a served model most easily sees otherwise than the ingest did.

All show one chart of colours that no turn and no mirror maps onto itself, so that what is wrong does not depend on what
the user's own images show.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.image_example_gen.images.codec import EXIF_ORIENTATION, normalise_image

WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True)
class PhotoPair:
    """One photo twice.

    Attributes:
        kind: what it is, as a message names it.
        sent: as clients send it.
        ingested: as the ingest leaves it.
    """

    kind: str
    sent: bytes
    ingested: bytes


def photo_pairs() -> list[PhotoPair]:
    """Returns a turned photo, a CMYK JPEG, a 16-bit PNG and a GIF."""
    chart = _chart()
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    sent = {
        "a turned photo (EXIF orientation 6)": _encode(chart.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif),
        "a CMYK JPEG": _encode(chart.convert("CMYK"), "JPEG"),
        "a 16-bit PNG": _sixteen_bit_png(np.asarray(chart)),
        "a GIF": _encode(chart.quantize(256), "GIF"),
    }
    return [PhotoPair(kind, data, normalise_image(data, WIDTH * HEIGHT).data) for kind, data in sent.items()]


def _chart() -> Image.Image:
    """Red grows to the right, green downwards, blue towards the upper left corner."""
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    return Image.fromarray((np.dstack([across, down, (1 - across) * (1 - down)]) * 255).astype(np.uint8))


def _encode(picture: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **({"quality": 95} if image_format == "JPEG" else {}), **options)
    return buffer.getvalue()


def _sixteen_bit_png(pixels: NDArray[np.uint8]) -> bytes:
    """Returns a PNG of 16 bits a channel, which Pillow does not write."""
    rows = [b"\0" + row.tobytes() for row in (pixels.astype(">u2") * 257)]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
