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
    """

    way: str
    level: float
    model: ModelSettings
    macs: int


def scaled_networks(base: ModelSettings, levels: Sequence[float], num_classes: int | None) -> list[ScaledNetwork]:
    """The base (phi 0), and for each level and way the network nearest to `level` times its multiply-adds.

    Args:
      base: its `image_size`, `base_width` and, for the compound way, alpha, beta and gamma are taken.
      levels: above 1.
      num_classes: width of the classifier; None: FLOPs are told without it.

    Raises:
      ValueError: a level is not above 1, or nothing within the limits of a way comes near it.
    """
    if not levels or min(levels) <= 1:
        raise ValueError(f"the levels are multiples of the base's FLOPs and above 1; got {list(levels)}")
    start = base.model_copy(update={"phi": 0.0, "weights": "none"})
    base_macs = _macs(start, num_classes)
    networks = [ScaledNetwork(BASE, 1.0, start, base_macs)]
    for level in sorted(set(levels)):
        for way in WAYS:
            candidates = list(_candidates(start, way, level))
            # FLOPs never fall along the candidates, so that few have to be looked at.
            after = bisect.bisect_left(candidates, level * base_macs, key=lambda model: _macs(model, num_classes))
            near = [(model, _macs(model, num_classes)) for model in candidates[max(after - 1, 0) : after + 1]]
            model, macs = min(near, key=lambda one: abs(math.log(one[1] / (level * base_macs))))
            if not 1 / CLOSE < macs / (level * base_macs) < CLOSE:
                raise ValueError(f"no network of {level:g} times the FLOPs is reached by {way} alone; lower the level")
            networks.append(ScaledNetwork(way, level, model, macs))
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


def _macs(model: ModelSettings, num_classes: int | None) -> int:
    return network_cost(model.chosen_variant, num_classes).macs
