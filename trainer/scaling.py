"""Compound scaling: the published variants, the formula behind them, and the blocks that a variant unrolls into.

Pure Python. The numbers come from the paper (arXiv 1905.11946: Table 1 for B0's stages, section 3.3 for the formula)
and from the reference implementation (tensorflow/tpu, models/official/efficientnet/efficientnet_builder.py) for B0 to
B7 and for the rounding, and its lite/efficientnet_lite_builder.py for Lite0 to Lite4. The published variants B3 to B7
do *not* follow from the formula (B4 is 1.4/1.8/380, phi = 4 gives 1.46/2.07/392), so both are here: the table for the
published names, the formula for a phi of one's own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

DIVISOR = 8
"""Channel counts are multiples of this, which suits vector units and tensor cores."""

BASE_RESOLUTION = 224
"""Side of B0's input, pixels."""

ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
"""Bases of depth, width and resolution; found for B0 by the paper's grid search (section 4)."""

MIN_RESOLUTION = 32
"""Below this the network's five halvings leave nothing to pool; pixels."""


@dataclass(frozen=True)
class Variant:
    """One size of EfficientNet, by its multipliers over B0."""

    name: str
    width_coefficient: float  # multiplies channel counts
    depth_coefficient: float  # multiplies block repeats
    resolution: int  # side of the input, pixels
    dropout_rate: float  # before the classifier, 0 to 1
    lite: bool = False  # EfficientNet-Lite, for phones and int8: see `unroll_blocks`
    stem_strides: int = 2  # 1 where images of 32 pixels would be halved too often


@dataclass(frozen=True)
class BlockArgs:
    """One stage of B0 (a row of the paper's Table 1), or, after `unroll_blocks`, one block of a variant."""

    kernel_size: int
    repeats: int
    filters_in: int
    filters_out: int
    expand_ratio: int  # MBConv1 or MBConv6
    strides: int  # of the stage's first block; 1 in the others
    se_ratio: float = 0.25  # squeeze-excitation's bottleneck over the block's *input* channels; 0: none


@dataclass(frozen=True)
class Block:
    """One MBConv block of a variant."""

    name: str  # "block2a": stage 2, first block, as in the published weight files
    args: BlockArgs  # rounded for the variant, repeats 1
    depth_fraction: float  # index over number of blocks: 0 for the first, a little under 1 for the last


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("b0", 1.0, 1.0, 224, 0.2),
        Variant("b1", 1.0, 1.1, 240, 0.2),
        Variant("b2", 1.1, 1.2, 260, 0.3),
        Variant("b3", 1.2, 1.4, 300, 0.3),
        Variant("b4", 1.4, 1.8, 380, 0.4),
        Variant("b5", 1.6, 2.2, 456, 0.4),
        Variant("b6", 1.8, 2.6, 528, 0.5),
        Variant("b7", 2.0, 3.1, 600, 0.5),
        Variant("lite0", 1.0, 1.0, 224, 0.2, lite=True),
        Variant("lite1", 1.0, 1.1, 240, 0.2, lite=True),
        Variant("lite2", 1.1, 1.2, 260, 0.3, lite=True),
        Variant("lite3", 1.2, 1.4, 280, 0.3, lite=True),
        Variant("lite4", 1.4, 1.8, 300, 0.3, lite=True),
    )
}

STEM_FILTERS = 32
TOP_FILTERS = 1280
B0_BLOCKS = (
    BlockArgs(kernel_size=3, repeats=1, filters_in=32, filters_out=16, expand_ratio=1, strides=1),
    BlockArgs(kernel_size=3, repeats=2, filters_in=16, filters_out=24, expand_ratio=6, strides=2),
    BlockArgs(kernel_size=5, repeats=2, filters_in=24, filters_out=40, expand_ratio=6, strides=2),
    BlockArgs(kernel_size=3, repeats=3, filters_in=40, filters_out=80, expand_ratio=6, strides=2),
    BlockArgs(kernel_size=5, repeats=3, filters_in=80, filters_out=112, expand_ratio=6, strides=1),
    BlockArgs(kernel_size=5, repeats=4, filters_in=112, filters_out=192, expand_ratio=6, strides=2),
    BlockArgs(kernel_size=3, repeats=1, filters_in=192, filters_out=320, expand_ratio=6, strides=1),
)


def get_variant(variant: str | Variant) -> Variant:
    """Return the published variant of that name; a `Variant` is returned as it is.

    Raises:
        ValueError: the name is not in `VARIANTS`.
    """
    if isinstance(variant, Variant):
        return variant
    if variant not in VARIANTS:
        raise ValueError(
            f"Unknown variant {variant!r}: expected {', '.join(VARIANTS)}, or a Variant from compound_variant(phi)."
        )
    return VARIANTS[variant]


def compound_variant(
    phi: float,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
    *,
    base_width: float = 1.0,
    base_depth: float = 1.0,
    base_resolution: int = BASE_RESOLUTION,
) -> Variant:
    """Scale B0 by phi (paper, equation 3): depth by alpha^phi, width by beta^phi, resolution by gamma^phi.

    With alpha * beta^2 * gamma^2 near 2 the FLOPs grow about 2^phi. `phi` may be fractional, and negative for networks
    smaller than B0. Dropout grows by .3 over phi 0 to 7, as the paper's does from B0 (.2) to B7 (.5), within 0 to .5.

    Args:
        phi: the compound coefficient.
        alpha: depth base; the paper's grid search at phi = 1 gave 1.2.
        beta: width base, 1.1 in the paper.
        gamma: resolution base, 1.15 in the paper.
        base_width: multiplies B0's channel counts at phi = 0.
        base_depth: multiplies B0's block repeats at phi = 0.
        base_resolution: side of the input at phi = 0, pixels.

    Raises:
        ValueError: a base is not positive, or a number is not finite.
    """
    bases = (alpha, beta, gamma, base_width, base_depth, base_resolution)
    if not all(map(math.isfinite, (phi, *bases))) or min(bases) <= 0:
        raise ValueError(
            "Compound scaling needs a finite phi and positive bases; got "
            f"phi={phi}, alpha={alpha}, beta={beta}, gamma={gamma} from width {base_width}, depth {base_depth}, "
            f"{base_resolution} px."
        )
    # An even side is halved without a remainder by the stem.
    resolution = max(MIN_RESOLUTION, 2 * round(base_resolution * gamma**phi / 2))
    dropout_rate = min(max(0.2 + 0.3 * phi / 7, 0.0), 0.5)
    return Variant(f"phi{phi:g}", base_width * beta**phi, base_depth * alpha**phi, resolution, dropout_rate)


def round_filters(filters: int, width_coefficient: float, divisor: int = DIVISOR) -> int:
    """Scale a channel count and round it to the nearest multiple of `divisor`, but never more than 10 % down."""
    scaled = filters * width_coefficient
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def round_repeats(repeats: int, depth_coefficient: float) -> int:
    """Scale a stage's number of blocks, rounding up."""
    return math.ceil(repeats * depth_coefficient)


def stem_filters(variant: Variant) -> int:
    """Channels of the stem; a Lite network keeps B0's."""
    return STEM_FILTERS if variant.lite else round_filters(STEM_FILTERS, variant.width_coefficient)


def top_filters(variant: Variant) -> int:
    """Channels of the last convolution, which are the features of an image; a Lite network keeps B0's."""
    return TOP_FILTERS if variant.lite else round_filters(TOP_FILTERS, variant.width_coefficient)


def unroll_blocks(variant: Variant) -> Iterator[Block]:
    """Yield the variant's MBConv blocks from the input on, with rounded channel counts.

    A Lite network has no squeeze-excitation, and its first and last stage keep one block each at any depth.
    """
    repeats = [round_repeats(stage.repeats, variant.depth_coefficient) for stage in B0_BLOCKS]
    if variant.lite:
        repeats[0], repeats[-1] = B0_BLOCKS[0].repeats, B0_BLOCKS[-1].repeats
    index = 0
    filters_in = stem_filters(variant)
    for number, (stage, count) in enumerate(zip(B0_BLOCKS, repeats, strict=True), start=1):
        filters_out = round_filters(stage.filters_out, variant.width_coefficient)
        se_ratio = 0.0 if variant.lite else stage.se_ratio
        first = replace(stage, repeats=1, filters_in=filters_in, filters_out=filters_out, se_ratio=se_ratio)
        other = replace(first, filters_in=filters_out, strides=1)
        for position in range(count):
            # chr() as the reference does it: the letters run past "z" for stages of more than 26 blocks.
            name = f"block{number}{chr(ord('a') + position)}"
            yield Block(name, first if position == 0 else other, index / sum(repeats))
            index += 1
        filters_in = filters_out
