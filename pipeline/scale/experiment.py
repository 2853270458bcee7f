"""A study or a comparison in plain values: which networks, trained how, for how long.

design.py makes them; the local commands and the pipelines of tfx_pipeline.py run them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from trainer.settings import ModelSettings, Settings

SAME = " = "  # between the names, and the groups, of one network


@dataclass(frozen=True)
class Effort:
    """How much time a study, a comparison or a search may use.

    Args:
      epochs: of a training; in a search, of the longest ones.
      seeds: trainings of each network.
      data_fraction: of the training images.
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
        """The end of the minutes from now, as time.monotonic has it; None: no limit."""
        return None if self.minutes is None else time.monotonic() + self.minutes * 60


class Network(Settings):
    """A network that takes part.

    Args:
      name: in tables, unique; a network with several names has them all.
      group: a way of scaling or a family of networks; a network in several groups has them all.
      model: the `model` section that builds it, or from which a backbone takes side and weights.
      layers: their number; used, with `macs`, for forecasts.
      macs: multiply-adds of one image.
      details: more columns for the table.
      backbone: name of a network of keras.applications to train instead; "" for none.
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
    """What a study or a comparison trains, as the writer of its results needs it.

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
