"""Ways to make a network larger, at matched FLOPs: deeper, wider, on larger images, all at once. Pure Python."""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainer.cost import network_cost
from trainer.scaling import BASE_RESOLUTION, MIN_RESOLUTION
from trainer.settings import MAX_SIDE, ModelSettings

WAYS = ("depth", "width", "resolution", "compound")
BASE = "base"
COEFFICIENTS = {"depth": "alpha", "width": "beta", "resolution": "gamma"}
CLOSE = 1.33  # how far from its level a network's FLOPs may be
SIDES_TO_TRY = range(MIN_RESOLUTION, 513, 16)  # as the base's, where a level is out of reach
MAX_COEFFICIENT = 64  # of `model.alpha`
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


class _OutOfReach(ValueError):
    """Nothing near a level lies on a way: layers and halved sides are whole, channels go by eight, sides end."""


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
    try:
        return _networks(base, levels, num_classes)
    except _OutOfReach as error:
        raise ValueError(f"{error}; {_what_helps(base, levels, num_classes)}") from error


def _networks(base: ModelSettings, levels: Sequence[float], num_classes: int | None) -> list[ScaledNetwork]:
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
                found = nearest.macs / base_macs
                raise _OutOfReach(
                    f"no network of {level:g} times the FLOPs is reached by {way}, the nearest has {found:.3g}"
                )
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
            # FLOPs grow with the depth, and with the square of width and resolution; the factor is a margin.
            highest = 1.5 * math.sqrt(level)
            if way == "depth":  # every stage of a shallow base has one block until the coefficient is large
                highest = min(1.5 * level / min(start.base_depth, 1.0), MAX_COEFFICIENT)
            update = {"phi": 1.0, **ones, COEFFICIENTS[way]: 1.0 + share * (highest - 1.0)}
        model = start.model_copy(update=update)
        if model.chosen_variant.resolution <= MAX_SIDE:
            yield model


def _scaled(way: str, level: float, model: ModelSettings, num_classes: int | None) -> ScaledNetwork:
    cost = network_cost(model.chosen_variant, num_classes)
    return ScaledNetwork(way, level, model, cost.macs, len(cost.layers))


def _what_helps(base: ModelSettings, levels: Sequence[float], num_classes: int | None) -> str:
    """The nearest side of the base from which all levels are reached; it was tried."""
    present = base.image_size or BASE_RESOLUTION
    for side in sorted(SIDES_TO_TRY, key=lambda side: abs(side - present)):
        try:
            _networks(base.model_copy(update={"image_size": side}), levels, num_classes)
        except _OutOfReach:
            continue
        return f"with --set model.image_size={side} all levels are"
    return "choose other levels, or a base of more layers and channels (model.base_depth, model.base_width)"
