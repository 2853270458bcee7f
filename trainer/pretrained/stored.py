"""Weights in a file that were not read yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredWeight:
    """A weight that was not read yet: a file of a few bytes can claim terabytes."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[np.generic]]


Stored = Mapping[str, list[StoredWeight]]
"""Weights by layer name, in the layer's own order."""


class Unfit(ValueError):
    """A file that is sound, and not of this network."""
