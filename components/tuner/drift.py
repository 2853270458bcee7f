"""How far the images are from those of earlier searches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import NonNegativeInt, TypeAdapter

from components.common import files
from components.common.profile import Profile, divergence

HISTORY_FILE = "history.json"  # the tuner's, a list of its runs


@dataclass(frozen=True)
class _TunerRun:
    """What is of interest here in an entry; see trainer/tuning/reuse.py."""

    searched: bool
    source: str
    profile: Mapping[str, Mapping[str, NonNegativeInt]] = field(default_factory=dict)


_RUNS = TypeAdapter(list[_TunerRun])


def drift_since(root: str, profile: Profile) -> dict[str, float]:
    """Returns artifact of a search -> how far the images have drifted since, 0 to 1, in the feature that drifted most.

    Searches that did not note their images are left out.

    Args:
        root: folder of the tuner's history.
        profile: of the images now.

    Raises:
        DataError: if `profile` is empty.
    """
    path = files.join(root, HISTORY_FILE)
    if not files.exists(path):
        return {}
    try:
        runs = _RUNS.validate_json(files.read_bytes(path))
    except ValueError:
        return {}  # the tuner says so, and searches
    return {run.source: _largest(profile, run.profile) for run in runs if run.searched and run.profile}


def _largest(profile: Profile, other: Profile) -> float:
    """Of the features that both have images of; all the way where there is none."""
    shared = [feature for feature in profile.keys() & other.keys() if sum(other[feature].values())]
    return max((divergence(profile[feature], other[feature]) for feature in shared), default=1.0)
