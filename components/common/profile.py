"""What a set of images is like, as shares of a few kinds, and how far two sets are apart.

A profile maps each of `FEATURES` to counts: {"brightness": {"7": 120, ...}, "label": {"cat": 80, ...}, ...}. It is of
all splits together, so that another cut of the same images has the same profile.
"""

import json
import math
from collections.abc import Iterator, Mapping

from components.common import files
from components.common.errors import DataError

FEATURES = ("label", "brightness", "size", "aspect", "format")
BRIGHTNESS_BINS = 20  # of mean luma, 0.05 each
SIZE_BINS_PER_OCTAVE = 2  # of the side of a square with as many pixels
ASPECT_BINS_PER_OCTAVE = 4  # of width / height
# TensorFlow Serving ignores this folder of a SavedModel.
PROFILE_PATH = ("assets.extra", "data_profile.json")

Profile = Mapping[str, Mapping[str, int]]


def kinds(class_name: str, brightness: float, width: int, height: int, image_format: str) -> Iterator[tuple[str, str]]:
    """Yields (feature, kind) of one image."""
    yield "label", class_name
    yield "brightness", str(min(int(brightness * BRIGHTNESS_BINS), BRIGHTNESS_BINS - 1))
    yield "size", str(math.floor(math.log2(width * height) / 2 * SIZE_BINS_PER_OCTAVE))
    yield "aspect", str(round(math.log2(width / height) * ASPECT_BINS_PER_OCTAVE))
    yield "format", image_format


def divergence(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Returns the Jensen-Shannon divergence of two counts, 0 (same shares) to 1 (nothing in common).

    What two samples of the same images would differ by on average is taken off, so that small sets are not drifting for
    their size alone.

    Raises:
        DataError: if one of them counts nothing.
    """
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        raise DataError("got an empty data profile, expected one of at least one image: run the ingest again")
    kinds_found = one.keys() | other.keys()
    total = 0.0
    for kind in kinds_found:
        p, q = one.get(kind, 0) / totals[0], other.get(kind, 0) / totals[1]
        middle = (p + q) / 2
        total += sum(share * math.log2(share / middle) for share in (p, q) if share) / 2
    chance = (len(kinds_found) - 1) / (8 * math.log(2)) * sum(1 / count for count in totals)
    return max(total - chance, 0.0)


def find_drift(profile: Profile, served: Profile, thresholds: Mapping[str, float]) -> list[str]:
    """Returns the features in which the images left those of the served model, one line each.

    Raises:
        DataError: if one of the profiles lacks a feature.
    """
    problems = []
    for feature, threshold in thresholds.items():
        if feature not in profile or feature not in served:
            raise DataError(f"got a data profile without {feature}: run the ingest again, or set data.drift=null once")
        distance = divergence(profile[feature], served[feature])
        if distance > threshold:
            problems.append(
                f"{feature} drifted by {distance:.2f} from the served model's images, at most {threshold:g} may be: "
                f"look at the new images, or raise data.drift.{feature}"
            )
    return problems


def write_profile(model_path: str, profile: Profile) -> None:
    """Writes the profile into a SavedModel's folder."""
    files.write_text(files.join(model_path, *PROFILE_PATH), json.dumps(profile, ensure_ascii=False, indent=1) + "\n")


def read_profile(model_path: str) -> Profile:
    """Reads the profile from a SavedModel's folder.

    Raises:
        DataError: if there is none, because nobody can then tell whether the images drifted.
    """
    path = files.join(model_path, *PROFILE_PATH)
    try:
        profile = json.loads(files.read_bytes(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"no verdict on drift: cannot read {path} of the served model ({error}); set data.drift=null for one run"
        ) from error
    if not isinstance(profile, dict):
        raise DataError(f"no verdict on drift: {path} is no profile; set data.drift=null for one run")
    return profile
