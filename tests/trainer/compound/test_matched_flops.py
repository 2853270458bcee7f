"""The networks that a study compares."""

import re

import pytest

from trainer.compound.matched_flops import WAYS, scaled_networks
from trainer.cost import network_cost
from trainer.settings import ModelSettings

BASE = ModelSettings(base_width=0.5, image_size=64)


@pytest.fixture(scope="module")
def networks():
    return scaled_networks(BASE, [4.0, 2.0], 12)


def test_every_way_is_there_at_every_level_after_the_base(networks):
    assert [(network.way, network.level) for network in networks] == [
        ("base", 1.0),
        *((way, level) for level in (2.0, 4.0) for way in WAYS),
    ]


def test_the_flops_are_matched_as_far_as_rounding_allows(networks):
    base = networks[0].macs
    for network in networks[1:]:
        assert network.macs == network_cost(network.model.chosen_variant, 12).macs
        assert network.macs / base == pytest.approx(network.level, rel=0.2), network


def test_a_way_changes_its_own_dimension_alone(networks):
    base = networks[0].model.chosen_variant
    own = {"depth": "depth_coefficient", "width": "width_coefficient", "resolution": "resolution"}
    for network in networks[1:]:
        variant = network.model.chosen_variant
        grown = {name for name in own.values() if getattr(variant, name) > getattr(base, name)}
        assert grown == ({own[network.way]} if network.way in own else set(own.values()))


@pytest.mark.parametrize("levels", [[], [1.0], [0.5, 2.0]])
def test_levels_are_above_the_base(levels):
    with pytest.raises(ValueError, match="above 1"):
        scaled_networks(BASE, levels, 12)


def test_a_level_that_is_out_of_reach_is_told_with_a_base_from_which_it_is_not():
    with pytest.raises(ValueError, match=r"1\.5 times the FLOPs is reached by resolution, the nearest has") as refused:
        scaled_networks(ModelSettings(base_width=0.5, image_size=33), [1.5, 3.0], 10)
    side = int(re.search(r"model\.image_size=(\d+)", str(refused.value))[1])
    assert side > 33
    assert scaled_networks(ModelSettings(base_width=0.5, image_size=side), [1.5, 3.0], 10)


def test_a_shallow_base_is_made_deep_enough():
    networks = scaled_networks(ModelSettings(base_width=0.2, base_depth=0.3, image_size=32), [8.0], 10)
    assert {network.level for network in networks} == {1.0, 8.0}


def test_a_level_that_no_side_reaches_is_refused():
    with pytest.raises(ValueError, match="by resolution"):
        scaled_networks(ModelSettings(image_size=1500), [8.0], 12)
