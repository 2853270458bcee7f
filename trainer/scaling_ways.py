"""Ways to make a network larger, at matched FLOPs: deeper, wider, on larger images, all at once. Pure Python."""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainer.cost import network_cost
from trainer.settings import MAX_SIDE, ModelSettings

WAYS = ("depth", "width", "resolution", "compound")
BASE = "base"
COEFFICIENTS = {"depth": "alpha", "width": "beta", "resolution": "gamma"}
CLOSE = 1.33  # how far from its level a network's FLOPs may be
STEPS = 400  # of a coefficient between 1 and its highest, of which the nearest is taken


@dataclass(frozen=True)
class ScaledNetwork:
    """One network of a study.

    Args:
      way: how it was scaled; "base" for what all begin with.
      level: how many times the base's multiply-adds it was to have.
      model: the `model` section that builds it.
      macs: its multiply-adds, which rounding keeps from being exactly as asked.
      layers: how many it has.
    """

    way: str
    level: float
    model: ModelSettings
    macs: int
    layers: int


def scaled_networks(base: ModelSettings, levels: Sequence[float], num_classes: int | None) -> list[ScaledNetwork]:
    """The base (phi 0), and for each level and way the network nearest to `level` times its multiply-adds.

    Args:
      base: its `image_size`, `base_width` and, for the compound way, alpha, beta and gamma are taken.
      levels: above 1.
      num_classes: width of the classifier; None: FLOPs are told without it.

    Raises:
      ValueError: a level is not above 1, or nothing within the limits of a way comes near it.
    """
    if not levels or not all(1 < level < math.inf for level in levels):
        raise ValueError(f"the levels are multiples of the base's FLOPs and above 1; got {list(levels)}")
    start = base.model_copy(update={"phi": 0.0, "weights": "none"})
    networks = [_scaled(BASE, 1.0, start, num_classes)]
    base_macs = networks[0].macs
    for level in sorted(set(levels)):
        for way in WAYS:
            candidates = list(_candidates(start, way, level))
            # FLOPs never fall along the candidates, so that few have to be looked at.
            after = bisect.bisect_left(
                candidates, level * base_macs, key=lambda model: network_cost(model.chosen_variant, num_classes).macs
            )
            near = [_scaled(way, level, model, num_classes) for model in candidates[max(after - 1, 0) : after + 1]]
            nearest = min(near, key=lambda network: abs(math.log(network.macs / (level * base_macs))))
            if not 1 / CLOSE < nearest.macs / (level * base_macs) < CLOSE:
                raise ValueError(f"no network of {level:g} times the FLOPs is reached by {way} alone; {_fix(way)}")
            networks.append(nearest)
    return networks


def _candidates(start: ModelSettings, way: str, level: float) -> Iterator[ModelSettings]:
    """Settings whose FLOPs lie around the level."""
    for step in range(1, STEPS + 1):
        share = step / STEPS
        if way == "compound":
            update = {"phi": share * 2 * math.log2(level)}
        else:
            ones = dict.fromkeys(COEFFICIENTS.values(), 1.0)
            # FLOPs grow with the depth, and with the square of width and resolution; more is asked for to be sure.
            highest = 1.5 * (level if way == "depth" else math.sqrt(level))
            update = {"phi": 1.0, **ones, COEFFICIENTS[way]: 1.0 + share * (highest - 1.0)}
        model = start.model_copy(update=update)
        if model.chosen_variant.resolution <= MAX_SIDE:
            yield model


def _scaled(way: str, level: float, model: ModelSettings, num_classes: int | None) -> ScaledNetwork:
    cost = network_cost(model.chosen_variant, num_classes)
    return ScaledNetwork(way, level, model, cost.macs, len(cost.layers))


def _fix(way: str) -> str:
    return "lower the level, or raise alpha, beta or gamma" if way == "compound" else "lower the level"
