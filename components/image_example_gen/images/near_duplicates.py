"""Tells near copies of a picture: the same one scaled, encoded anew or slightly brightened.

The hash is the usual one for this (pHash): the signs of a picture's low frequencies against their median. 256 bits
rather than the customary 64, because on small scans of handwritten digits 64 do not tell two persons' ones apart, while
on photographs both find the same copies.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

SIDE = 32  # pixels a side that the frequencies are taken from
FREQUENCIES = 16  # a side, so that the hash has 256 bits
BITS = FREQUENCIES * FREQUENCIES
# Copies of half the size or of JPEG quality 60 differ by 2 on average and by 8 at most (160 ImageNet photographs, of
# which no two differ by less than 94; of 1,797 digits three pairs differ by 8 or less).
NEAR_BITS = 8
# Two hashes that differ in at most NEAR_BITS bits are equal in at least one of NEAR_BITS + 1 bands.
BANDS = NEAR_BITS + 1
_FLAT = 0.5  # frequencies weaker than this are rounding, of a picture without content

_WAVES = np.cos(np.pi / SIDE * (np.arange(SIDE) + 0.5) * np.arange(FREQUENCIES)[:, None]).astype(np.float32)
_BAND_MASKS = [sum(1 << bit for bit in range(band, BITS, BANDS)) for band in range(BANDS)]


def perceptual_hash(gray: Image.Image, decode: Callable[[], Image.Image]) -> str:
    """Returns the hash of a picture, 64 hex digits.

    A picture of one colour has no frequencies; its hash is that of the colour, so that plain pictures of another colour
    are not taken for copies.

    Args:
        gray: of mode L.
        decode: returns the same with its colours, of any mode; called only where these count.
    """
    small = np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0), np.float32)
    spectrum = _WAVES @ small @ _WAVES.T
    spectrum[np.abs(spectrum) < _FLAT] = 0
    if np.count_nonzero(spectrum) <= 1:  # the mean
        colour = decode().convert("RGB").resize((1, 1), Image.Resampling.BOX).tobytes()
        return hashlib.sha256(colour).hexdigest()
    return np.packbits(spectrum > np.median(spectrum)).tobytes().hex()


def bands(hash_hex: str) -> list[str]:
    """Returns the keys of a hash, one a band; near hashes have at least one key in common."""
    value = int(hash_hex, 16)
    return [f"{band}:{value & mask:x}" for band, mask in enumerate(_BAND_MASKS)]


def near_pairs(hashes: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields the indices of each two hashes that differ in at most `NEAR_BITS` bits."""
    values = [int(hash_hex, 16) for hash_hex in hashes]
    for (i, one), (j, other) in itertools.combinations(enumerate(values), 2):
        if (one ^ other).bit_count() <= NEAR_BITS:
            yield i, j
