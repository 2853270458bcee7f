"""`tf.image.resize(..., method="bicubic", antialias=True)` without TensorFlow, to the last bit.

TensorFlow's kernel (ScaleAndTranslate, tensorflow/core/kernels/image/scale_and_translate_op.cc) makes each output row a
weighted sum of input rows, then each output column one of columns, in float32 and in the order of the input. A product
with a sparse matrix adds in that order, too. The tests compare every bit.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

KEYS_RADIUS = 2  # input pixels to each side of an output pixel, at scale 1
ONE, HALF = np.float32(1.0), np.float32(0.5)
CACHED_SIZES = 256  # pairs of input and output lengths; a camera has few


def resize_bicubic(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Resizes (rows, columns, channels) to float32 (height, width, channels), neither rounded nor clipped."""
    rows, columns, channels = pixels.shape
    flat = pixels.reshape(rows, columns * channels).astype(np.float32)
    tall = (sampling_weights(rows, height) @ flat).reshape(height, columns, channels)
    turned = np.ascontiguousarray(tall.transpose(1, 0, 2)).reshape(columns, height * channels)
    wide = (sampling_weights(columns, width) @ turned).reshape(width, height, channels)
    resized: NDArray[np.float32] = np.ascontiguousarray(wide.transpose(1, 0, 2))
    return resized


@lru_cache(CACHED_SIZES)
def sampling_weights(length: int, resized: int) -> sparse.csr_matrix:
    """What each of `resized` output pixels takes of `length` input pixels: float32 (resized, length)."""
    inverse_scale = ONE / (np.float32(resized) / np.float32(length))
    kernel_scale = max(inverse_scale, ONE)  # antialiasing: a wider kernel when the image shrinks
    reach = np.float32(KEYS_RADIUS) * kernel_scale
    centers = (np.arange(resized, dtype=np.float32) + HALF) * inverse_scale
    first = np.clip(np.ceil(centers - reach - HALF), 0, length - 1).astype(np.int32)
    last = np.clip(np.floor(centers + reach - HALF), 0, length - 1).astype(np.int32)
    span = int((last - first).max()) + 1
    sources = first[:, None] + np.arange(span, dtype=np.int32)
    inside = sources <= last[:, None]
    distances = (sources.astype(np.float32) + HALF - centers[:, None]) * (ONE / kernel_scale)
    weights = np.where(inside, _keys_cubic(distances), np.float32(0))
    totals = np.zeros(resized, np.float32)
    for column in weights.T:  # in this order; numpy's own sum adds in pairs
        totals += column
    weights *= (ONE / totals)[:, None]
    ends = np.cumsum(inside.sum(axis=1))
    return sparse.csr_matrix((weights[inside], sources[inside], np.r_[0, ends]), shape=(resized, length))


def _keys_cubic(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29(6), 1981), as TensorFlow evaluates it."""
    x = np.abs(distance)
    near = ((np.float32(1.5) * x - np.float32(2.5)) * x) * x + ONE
    far = ((np.float32(-0.5) * x + np.float32(2.5)) * x - np.float32(4.0)) * x + np.float32(2.0)
    kernel: NDArray[np.float32] = np.where(x >= 2, np.float32(0), np.where(x >= 1, far, near))
    return kernel
