"""How far the images are from those of earlier searches."""

import json

from components.common import files
from components.common.profile import Profile, divergence

HISTORY_FILE = "history.json"  # the tuner's, a list of its runs: {"searched", "source", "profile", ...}


def drift_since(root: str, profile: Profile) -> dict[str, float]:
    """Returns artifact of a search -> how far the images have drifted since, 0 to 1, in the feature that drifted most.

    Searches that did not note their images are left out.

    Args:
        root: folder of the tuner's history.
        profile: of the images now.

    Raises:
        DataError: if a profile is empty.
    """
    path = files.join(root, HISTORY_FILE)
    if not files.exists(path):
        return {}
    try:
        runs = json.loads(files.read_bytes(path))
    except ValueError:
        return {}  # the tuner says so, and searches
    searches = [run for run in runs if run["searched"] and run.get("profile")]
    return {run["source"]: _largest(profile, run["profile"]) for run in searches}


def _largest(profile: Profile, other: Profile) -> float:
    return max(divergence(profile[feature], other[feature]) for feature in profile.keys() & other.keys())
