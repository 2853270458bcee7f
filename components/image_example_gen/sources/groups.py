"""Groups from file names: pictures of one patient in two splits make a model look better than it is."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from components.common.errors import DataError
from components.image_example_gen.sources.plan import ImageFile, IngestPlan

# What a group is usually called in a file's name, before a number.
_KINDS = (
    "patient", "pat", "subject", "subj", "sub", "case", "person", "participant", "slide", "donor", "animal", "mouse",
    "study", "video", "vid", "clip", "scene", "seq", "session", "plot", "tree", "plate", "well", "specimen", "batch",
)  # fmt: skip
SUGGESTED = rf"(?:^|[/_.\- ])((?:{'|'.join(_KINDS)})[_\-]?\d+)(?=[/_.\- ])"
_LEAST_NAMED, _LEAST_GROUPS = 0.9, 3  # share of the images whose name has a group; groups, one a split


def group_by_name(plan: IngestPlan, pattern: str) -> IngestPlan:
    """Gives each image without a group the one that a pattern finds in its path.

    Raises:
        DataError: the pattern finds nothing in any path.
    """
    if not pattern:
        return plan
    compiled = re.compile(pattern)
    images = [image if image.group else replace(image, group=_group(image.path, compiled)) for image in plan.images]
    if not any(image.group for image in images):
        first = images[0].path if images else "none"
        raise DataError(f"got no image in whose path data.group_pattern {pattern} finds a group, such as {first}")
    return replace(plan, images=images)


def suggest_pattern(images: Sequence[ImageFile]) -> str:
    """Returns the pattern of groups that most file names have, such as "(patient\\d+)_"; "" if they have none."""
    if not images:
        return ""
    compiled = re.compile(SUGGESTED, re.IGNORECASE)
    found = [match for image in images if (match := compiled.search(image.path))]
    kinds = Counter(re.split(r"\d", match[1])[0] for match in found)
    if not kinds:
        return ""
    kind, named = kinds.most_common(1)[0]
    groups = {match[1] for match in found if match[1].startswith(kind)}
    if named < _LEAST_NAMED * len(images) or len(groups) < _LEAST_GROUPS or len(groups) > named / 2:
        return ""
    # A class folder called so is no group within its class.
    return rf"({re.escape(kind)}\d+)"


def _group(path: str, pattern: re.Pattern[str]) -> str:
    match = pattern.search(path)
    if match is None:
        return ""
    return (match[1] if pattern.groups else match[0]) or ""
