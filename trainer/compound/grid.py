"""Step 1 of compound scaling: the grid of alpha, beta and gamma at phi = 1 (arXiv 1905.11946, 3.3). Pure Python.

Layers are counted in whole numbers and channels in eights, so different coefficients may give the same network; it is
trained once.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from trainer.cost import same_network
from trainer.scaling import ALPHA, BETA, GAMMA
from trainer.settings import ModelSettings

HIGHEST = {"alpha": 2.0, "beta": 1.5, "gamma": 1.5}  # of the grid; the lowest is 1, where a dimension is not scaled
GROWTH = 2.0  # what alpha * beta^2 * gamma^2 is to be: FLOPs double with each phi


@dataclass(frozen=True)
class GridPoint:
    """Coefficients to try."""

    alpha: float
    beta: float
    gamma: float

    @property
    def growth(self) -> float:
        """By how much the formula says that FLOPs grow with phi; rounding makes it another in a given network."""
        return self.alpha * self.beta**2 * self.gamma**2

    def scale(self, base: ModelSettings) -> ModelSettings:
        """The `model` section of the network at phi = 1, from scratch."""
        return base.model_copy(update={**asdict(self), "phi": 1.0, "weights": "none"})


PAPER = GridPoint(ALPHA, BETA, GAMMA)


def feasible_points(step: float, tolerance: float) -> list[GridPoint]:
    """The points of the grid, `step` apart, whose growth is within `tolerance` of 2; the paper's among them."""
    axes = [
        [round(1 + index * step, 6) for index in range(int((highest - 1) / step + 1e-6) + 1)]
        for highest in HIGHEST.values()
    ]
    points = dict.fromkeys([*(GridPoint(*values) for values in itertools.product(*axes)), PAPER])
    return [point for point in points if abs(point.growth - GROWTH) <= tolerance + 1e-9]


def distinct_networks(points: Sequence[GridPoint], base: ModelSettings) -> dict[GridPoint, list[GridPoint]]:
    """The points by network: of those that give the same one, the paper's or the nearest to 2 stands for all.

    Args:
      points: to group.
      base: the network at phi = 0.

    Returns:
      The others for each one that is to be trained.
    """
    groups: dict[tuple[object, ...], list[GridPoint]] = {}
    for point in sorted(points, key=lambda point: (point != PAPER, abs(point.growth - GROWTH))):
        groups.setdefault(same_network(point.scale(base).chosen_variant), []).append(point)
    return {first: others for first, *others in groups.values()}


def spread(points: Sequence[GridPoint], count: int) -> list[GridPoint]:
    """`count` of the points, far apart from each other, the one nearest to the paper's coefficients first.

    The first few are a rough sample of the whole grid.
    """
    left = list(points)
    chosen: list[GridPoint] = []
    while left and len(chosen) < count:
        if chosen:
            best = max(left, key=lambda point: min(_distance(point, other) for other in chosen))
        else:
            best = min(left, key=lambda point: _distance(point, PAPER))
        left.remove(best)
        chosen.append(best)
    return chosen


def _distance(one: GridPoint, other: GridPoint) -> float:
    """In logarithms, each weighed with its share in the growth."""
    return math.hypot(
        math.log(one.alpha / other.alpha), 2 * math.log(one.beta / other.beta), 2 * math.log(one.gamma / other.gamma)
    )
