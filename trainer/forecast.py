"""How long trainings will take, before and while they run. Pure Python."""

import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """What a few steps of one network told.

    Args:
      macs: the network's multiply-adds of one image.
      start_seconds: to build and trace it.
      epoch_seconds: of an epoch, validation included.
    """

    macs: int
    start_seconds: float
    epoch_seconds: float


def training_seconds(timings: Sequence[Timing], macs: int, epochs: int) -> float:
    """What the training of a network will take: in a straight line between the networks that were timed."""
    low, high = min(timings, key=lambda timing: timing.macs), max(timings, key=lambda timing: timing.macs)
    share = (macs - low.macs) / (high.macs - low.macs) if high.macs > low.macs else 0.0
    start = low.start_seconds + share * (high.start_seconds - low.start_seconds)
    epoch = low.epoch_seconds + share * (high.epoch_seconds - low.epoch_seconds)
    return max(start, 0.0) + epochs * max(epoch, 0.0)


class Pace:
    """Corrects a forecast by how long the trainings so far have really taken.

    Args:
      seconds: forecast of all that is left to do.
    """

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.done = 0.0
        self.started = time.monotonic()

    def finished(self, seconds: float) -> None:
        """Notes that what was forecast to take `seconds` is done."""
        self.done += seconds
        self.left = max(self.left - seconds, 0.0)

    def seconds_left(self) -> float:
        """Of what is not done yet."""
        return self.left * ((time.monotonic() - self.started) / self.done if self.done else 1.0)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
