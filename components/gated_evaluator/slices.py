"""Kinds of images, by size and by brightness, on which a model is looked at apart."""

import math
from dataclasses import dataclass
from statistics import NormalDist

SIZE_FEATURE, BRIGHTNESS_FEATURE = "size", "brightness_level"  # computed from what ImageExampleGen writes
BRIGHTNESS_LEVELS = ("dark", "dim", "bright", "light")  # a quarter of the mean luma each
TWO_SIDED_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Slice:
    """How a model does on one kind of images.

    Attributes:
        feature: `SIZE_FEATURE` or `BRIGHTNESS_FEATURE`.
        value: which kind.
        accuracy: 0 to 1.
        examples: how many images.
    """

    feature: str
    value: str
    accuracy: float
    examples: int

    @property
    def interval(self) -> tuple[float, float]:
        """Within what the accuracy lies with 95 % confidence."""
        return wilson_interval(self.accuracy, self.examples)


def size_kind(width: int, height: int) -> str:
    """Names an image's size by octaves: the side, in pixels, of a square with as many pixels."""
    octave = math.floor(math.log2(width * height) / 2)
    return f"{2**octave} to {2 ** (octave + 1) - 1} px"


def brightness_kind(brightness: float) -> str:
    """Names a mean luma of 0 (black) to 1 (white)."""
    return BRIGHTNESS_LEVELS[min(int(brightness * len(BRIGHTNESS_LEVELS)), len(BRIGHTNESS_LEVELS) - 1)]


def wilson_interval(share: float, examples: int) -> tuple[float, float]:
    """Returns the 95 % confidence interval of a share that was seen on some examples (E. B. Wilson, 1927)."""
    if not examples:
        return 0.0, 1.0
    square = TWO_SIDED_95**2 / examples
    middle = (share + square / 2) / (1 + square)
    half = TWO_SIDED_95 / (1 + square) * math.sqrt(share * (1 - share) / examples + square / (4 * examples))
    return max(middle - half, 0.0), min(middle + half, 1.0)
