"""Moments as people are shown them."""

from datetime import datetime, tzinfo


def in_zone(moment: datetime, zone: tzinfo | None = None) -> str:
    """A moment, such as 2024-05-31 02:30 CEST; None is this machine's zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"
