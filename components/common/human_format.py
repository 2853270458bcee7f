"""Moments, durations, counts and bytes as people read them."""

from collections.abc import Iterable
from datetime import datetime, tzinfo


def in_zone(moment: datetime, zone: tzinfo | None = None) -> str:
    """A moment, such as 2024-05-31 02:30 CEST; None is this machine's zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def some(names: Iterable[str], most: int = 5) -> str:
    """As in "cat, dog and 3 more"."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def counted(number: int, noun: str) -> str:
    """As in "1 epoch", "2 epochs"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def byte_count(count: float) -> str:
    """A number of bytes, such as "3.4 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def shortened(text: str, longest: int) -> str:
    """The text, cut to so many characters, three dots included."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
