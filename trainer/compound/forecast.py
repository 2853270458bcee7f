"""How long trainings will take, before and while they run. Without TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Timing:
    """What a few steps of one network told.

    Args:
      layers: of the network.
      macs: its multiply-adds of one image.
      start_seconds: to build and trace it.
      epoch_seconds: of an epoch, validation included.
    """

    layers: int
    macs: int
    start_seconds: float
    epoch_seconds: float


def training_seconds(timings: Sequence[Timing], layers: int, macs: int, epochs: int) -> float:
    """What the training of a network will take.

    To build and trace it takes its time by the layer. So does a part of an epoch, because each layer is a call however
    little it computes; the rest goes by the multiply-adds. Both shares are fitted to what was timed, and neither is
    negative. By multiply-adds alone, deep networks of small images would take three to six times the forecast.
    """
    start, by_layer, by_mac = _shares(tuple(timings))
    return start * layers + epochs * (by_layer * layers + by_mac * macs)


@lru_cache
def _shares(timings: tuple[Timing, ...]) -> tuple[float, float, float]:
    """Seconds to start by the layer, and seconds of an epoch by the layer and by the multiply-add."""
    from sklearn.linear_model import LinearRegression

    start = sum(timing.start_seconds for timing in timings) / sum(timing.layers for timing in timings)
    epochs = LinearRegression(positive=True, fit_intercept=False).fit(
        [(timing.layers / 1e3, timing.macs / 1e9) for timing in timings],  # of about the same size
        [timing.epoch_seconds for timing in timings],
        sample_weight=[1 / timing.epoch_seconds**2 for timing in timings],  # so that misses count relative to the epoch
    )
    by_layer, by_mac = (float(share) for share in epochs.coef_)
    return start, by_layer / 1e3, by_mac / 1e9


class Pace:
    """Corrects a forecast by how long trainings have really taken.

    Args:
      left: forecast of all that there is to do, seconds.
    """

    def __init__(self, left: float) -> None:
        self.left = left
        self.done = 0.0
        self.took = 0.0

    def finished(self, forecast: float, seconds: float) -> None:
        """Notes that what was forecast to take so long is done, and what it has taken; in an earlier process, too."""
        self.done += forecast
        self.took += seconds
        self.dropped(forecast)

    def dropped(self, forecast: float) -> None:
        """Notes that it will not be done."""
        self.left = max(self.left - forecast, 0.0)

    def corrected(self, forecast: float) -> float:
        """What it will probably take in truth."""
        return forecast * (self.took / self.done if self.done else 1.0)

    @property
    def seconds_left(self) -> float:
        """Of what is not done yet."""
        return self.corrected(self.left)
