"""What a study or a comparison asks, in plain values: which networks, trained how, for how long.

The local commands and the pipelines of tfx_pipeline.py answer the same questions; design.py makes them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from trainer.settings import ModelSettings, Settings

SAME = " = "  # between the names, and the groups, of one network


@dataclass(frozen=True)
class Effort:
    """How much is spent on an answer.

    Args:
      epochs: of a training; the longest ones of a search.
      seeds: trainings of each network.
      data_fraction: of the images that are there to train on.
      minutes: for all trainings of this call; None: no limit.
    """

    epochs: int
    seeds: int
    data_fraction: float
    minutes: float | None

    def seeds_from(self, first: int) -> tuple[int, ...]:
        """Of each network's trainings."""
        return tuple(range(first, first + self.seeds))

    @property
    def deadline(self) -> float | None:
        """From now on."""
        return None if self.minutes is None else time.monotonic() + self.minutes * 60


class Network(Settings):
    """A network that takes part.

    Args:
      name: what it is called in tables; no two are called the same. One network by several names has them all.
      group: what it belongs to: a way of scaling, a family of networks; likewise.
      model: the `model` section that builds it, or that a backbone takes side and weights from.
      layers: how many it has; with the next one, for forecasts.
      macs: multiply-adds of one image.
      details: more columns for the table.
      backbone: of keras.applications, to be trained instead; "" for none.
    """

    name: str
    group: str
    model: ModelSettings
    layers: int
    macs: int
    details: Mapping[str, int | float]
    backbone: str = ""

    @property
    def side(self) -> int:
        """Of its images, pixels."""
        return self.model.chosen_variant.resolution


class Experiment(Settings):
    """What a study or a comparison trains, as it reaches whoever writes its results.

    Args:
      command: study or compare.
      title: of the page.
      intro: what is compared.
      recipe: how all are trained.
      source: of the images.
      epochs: of each training.
      seeds: of the trainings of each network.
      networks: the networks.
      base: the name of the network from which every line begins.
    """

    command: str
    title: str
    intro: str
    recipe: str
    source: str
    epochs: int
    seeds: tuple[int, ...]
    networks: tuple[Network, ...]
    base: str | None = None
