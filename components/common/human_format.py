"""Moments, durations and counts as people read them."""

from datetime import datetime, tzinfo


def in_zone(moment: datetime, zone: tzinfo | None = None) -> str:
    """A moment, such as 2024-05-31 02:30 CEST; None is this machine's zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def counted(number: int, noun: str) -> str:
    """As in "1 epoch", "2 epochs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
