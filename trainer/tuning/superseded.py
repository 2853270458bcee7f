"""Searches that another one replaces: their trials are kept aside, until `effnet clean --yes`.

<root>/superseded/<key>-20240531T023000Z/search/trial_0/...     named after the search and when it was replaced
"""

from datetime import UTC, datetime

from components.common import files

FOLDER = "superseded"


def set_aside(root: str, key: str) -> str:
    """Moves the search at <root>/<key> aside, so that the next run begins it anew; returns where it is then."""
    place = f"{root}/{FOLDER}/{key}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    files.move(f"{root}/{key}", place)
    return place
