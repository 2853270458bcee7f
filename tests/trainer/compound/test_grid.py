"""Which coefficients a search tries."""

import pytest

from trainer.compound.grid import PAPER, GridPoint, distinct_networks, feasible_points, spread
from trainer.cost import same_network
from trainer.settings import ModelSettings

BASE = ModelSettings(base_width=0.25, base_depth=0.5, image_size=48)


@pytest.mark.parametrize(("step", "least"), [(0.05, 108), (0.1, 21)])
def test_feasible_points_double_the_flops_and_the_papers_are_among_them(step, least):
    points = feasible_points(step, 0.1)
    assert len(points) == len(set(points)) >= least
    assert all(abs(point.growth - 2) <= 0.1 + 1e-9 for point in points)
    assert all(min(point.alpha, point.beta, point.gamma) >= 1 for point in points)
    assert PAPER in points
    assert PAPER not in feasible_points(step, 0.01)  # 1.92


def test_every_network_is_tried_once_and_every_point_is_accounted_for():
    points = feasible_points(0.05, 0.1)
    networks = distinct_networks(points, BASE)
    assert len(networks) < len(points)  # blocks are whole, channels come in eights
    assert sorted([*networks, *(other for others in networks.values() for other in others)], key=repr) == sorted(
        points, key=repr
    )
    assert len({same_network(point.scale(BASE).chosen_variant) for point in networks}) == len(networks)
    assert PAPER in networks  # never left to another that rounds to the same


def test_whoever_tries_a_few_sees_all_corners_of_the_grid():
    points = feasible_points(0.1, 0.1)
    first = spread(points, 5)
    assert first[0] == PAPER
    assert {GridPoint(2.0, 1.0, 1.0), GridPoint(1.0, 1.4, 1.0), GridPoint(1.0, 1.0, 1.4)} < set(first)
    assert set(spread(points, 99)) == set(points)
