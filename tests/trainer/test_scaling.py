import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.scaling import (
    BASE_RESOLUTION,
    VARIANTS,
    Variant,
    compound_variant,
    get_variant,
    round_filters,
    round_repeats,
    unroll_blocks,
)

# From the published networks: stem, stage outputs and top of B1 to B7.
PUBLISHED_FILTERS = {
    1.0: [32, 16, 24, 40, 80, 112, 192, 320, 1280],
    1.1: [32, 16, 24, 48, 88, 120, 208, 352, 1408],
    1.2: [40, 24, 32, 48, 96, 136, 232, 384, 1536],
    1.4: [48, 24, 32, 56, 112, 160, 272, 448, 1792],
    1.6: [48, 24, 40, 64, 128, 176, 304, 512, 2048],
    1.8: [56, 32, 40, 72, 144, 200, 344, 576, 2304],
    2.0: [64, 32, 48, 80, 160, 224, 384, 640, 2560],
}
PUBLISHED_BLOCKS = {"b0": 16, "b1": 23, "b2": 23, "b3": 26, "b4": 32, "b5": 39, "b6": 45, "b7": 55}

widths = st.floats(0.1, 4.0)
filters = st.integers(1, 2048)
phis = st.floats(-2, 8)


@pytest.mark.parametrize("width", PUBLISHED_FILTERS)
def test_round_filters_gives_the_published_channels(width):
    assert [round_filters(count, width) for count in PUBLISHED_FILTERS[1.0]] == PUBLISHED_FILTERS[width]


def test_round_filters_never_loses_more_than_a_tenth():
    assert round_filters(10, 1.0, divisor=8) == 16  # 8 would be 20 % less


@pytest.mark.parametrize(("depth", "expected"), [(1.0, [1, 2, 3, 4]), (1.1, [2, 3, 4, 5]), (3.1, [4, 7, 10, 13])])
def test_round_repeats_rounds_up(depth, expected):
    assert [round_repeats(repeats, depth) for repeats in (1, 2, 3, 4)] == expected


@given(filters, widths, st.sampled_from([1, 4, 8, 16]))
def test_rounded_filters_are_near_multiples(count, width, divisor):
    rounded = round_filters(count, width, divisor)
    assert rounded % divisor == 0
    assert rounded >= divisor
    assert 0.9 * count * width <= rounded <= max(divisor, count * width + divisor)


@given(filters, widths, widths)
def test_wider_is_never_fewer_filters(count, width, other):
    narrow, wide = sorted((width, other))
    assert round_filters(count, narrow) <= round_filters(count, wide)


@pytest.mark.parametrize(("name", "blocks"), PUBLISHED_BLOCKS.items())
def test_variants_unroll_into_the_published_number_of_blocks(name, blocks):
    unrolled = list(unroll_blocks(VARIANTS[name]))
    assert len(unrolled) == blocks
    assert [block.depth_fraction for block in unrolled] == pytest.approx([i / blocks for i in range(blocks)])
    assert len({block.name for block in unrolled}) == blocks


@given(phis)
def test_blocks_chain(phi):
    blocks = list(unroll_blocks(compound_variant(phi)))
    for before, after in itertools.pairwise(blocks):
        assert before.args.filters_out == after.args.filters_in


def test_phi_0_is_b0_and_phi_1_has_b2s_coefficients():
    assert dataclasses.replace(compound_variant(0), name="b0") == VARIANTS["b0"]
    one = compound_variant(1)
    assert (one.width_coefficient, one.depth_coefficient) == (1.1, 1.2)


def test_the_formula_is_not_the_table():
    four = compound_variant(4)
    assert four.width_coefficient == pytest.approx(1.4641)
    assert four.depth_coefficient == pytest.approx(2.0736)
    assert four.resolution == 392
    assert VARIANTS["b4"] == Variant("b4", 1.4, 1.8, 380, 0.4)


def test_negative_and_fractional_phi_scale_down():
    half = compound_variant(-0.5)
    assert half.name == "phi-0.5"
    assert half.width_coefficient < 1
    assert half.resolution < BASE_RESOLUTION


def test_the_base_network_may_be_narrower_and_smaller():
    small = compound_variant(1, base_width=0.5, base_resolution=64)
    assert (small.width_coefficient, small.depth_coefficient) == (0.55, 1.2)
    assert small.resolution == 74  # 64 * 1.15, made even


@given(phis, phis)
def test_compound_scaling_grows_with_phi(phi, other):
    small, large = (compound_variant(value) for value in sorted((phi, other)))
    for field in ("width_coefficient", "depth_coefficient", "resolution", "dropout_rate"):
        assert getattr(small, field) <= getattr(large, field)


@pytest.mark.parametrize("arguments", [{"phi": float("nan")}, {"phi": 1, "alpha": 0}, {"phi": 1, "gamma": -1.15}])
def test_impossible_coefficients_are_refused(arguments):
    with pytest.raises(ValueError, match="finite phi and positive bases"):
        compound_variant(**arguments)


def test_unknown_variant_names_the_valid_ones():
    with pytest.raises(ValueError, match=r"'b9': expected b0, b1"):
        get_variant("b9")
