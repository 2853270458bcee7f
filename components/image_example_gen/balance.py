"""Checks the counts of an ingest and turns them into its summary."""

import math
from collections import Counter
from collections.abc import Collection, Mapping

from components.common.errors import DataError
from components.common.human_format import some
from components.common.ingest_report import IngestSummary
from components.common.profile import FEATURES
from components.image_example_gen.class_notes import note_similar_names, note_without_eval
from components.image_example_gen.sources.plan import IngestPlan
from components.image_example_gen.split import SPLITS

# A class's share of a split is uneven if so many images, and standard deviations of the cut, lie between it and the
# share of the other classes.
LEAST_OFF, DEVIATIONS_OFF = 10, 4

# The steps that every image passes one after the other.
SURVEY, LABELS, LEAKS, WRITE = STEPS = ("survey", "labels", "leaks", "write")
# Keys of the counters that the steps keep; each counter is (key, *names).
IN, OUT, REJECTED = "in", "out", "rejected"  # of a step; REJECTED also names the reason
WRITTEN, REENCODED, STORED, IDENTICAL, NEAR, PROFILE = (
    "written",
    "reencoded",
    "stored",
    "identical",
    "near",
    "profile",
)

Counts = dict[tuple[str, ...], int]


def summarise(root: str, fingerprint: str, plan: IngestPlan, counts: Counts) -> IngestSummary:
    """Returns the summary of an ingest of which nothing was lost.

    Args:
        root: the image folder.
        fingerprint: that of its listing.
        plan: what was to be read.
        counts: the Beam steps' counters.

    Raises:
        RuntimeError: if files were lost on the way.
        DataError: if no image, or none of a class, could be read.
    """
    written = {split: {name: counts.get((WRITTEN, split, name), 0) for name in plan.classes} for split in SPLITS}
    quarantined = Counter(rejected.reason for rejected in plan.rejected)
    for (key, *names), count in counts.items():
        if key == REJECTED:
            _, reason = names
            quarantined[reason] += count
    summary = IngestSummary(
        root=root,
        fingerprint=fingerprint,
        found=plan.found,
        written=written,
        quarantined=dict(sorted(quarantined.items())),
        reencoded={names[0]: count for (key, *names), count in sorted(counts.items()) if key == REENCODED},
        given_splits=sorted(plan.given_splits),
        empty_class_folders=plan.empty_classes,
        identical_files=counts.get((IDENTICAL,), 0),
        near_duplicates=counts.get((NEAR,), 0),
        profile={feature: _counted(counts, feature) for feature in FEATURES},
        warnings=[
            *_warnings(plan, quarantined),
            *note_similar_names(plan.classes),
            *note_without_eval(written["eval"]),
            *_uneven(written, plan.given_splits),
        ],
    )
    _check_nothing_lost(plan, summary, counts)
    _check_readable(plan, summary)
    return summary


def _counted(counts: Counts, feature: str) -> dict[str, int]:
    return {key[2]: count for key, count in sorted(counts.items()) if key[:2] == (PROFILE, feature)}


def _check_nothing_lost(plan: IngestPlan, summary: IngestSummary, counts: Counts) -> None:
    expected = len(plan.images)
    for step in STEPS:
        seen, passed = counts.get((IN, step), 0), counts.get((OUT, step), 0)
        rejected = sum(count for key, count in counts.items() if key[:2] == (REJECTED, step))
        if seen != expected or seen != passed + rejected:
            raise RuntimeError(
                f"files were lost at the step {step}: {expected} to read, {seen} read, {passed} passed on, "
                f"{rejected} quarantined"
            )
        expected = passed
    if summary.examples != expected:
        raise RuntimeError(f"examples were lost: {expected} passed on, {summary.examples} written")
    for split in summary.written:
        written, stored = summary.images_of(split), counts.get((STORED, split), 0)
        if stored != written:
            raise RuntimeError(f"examples were lost: {written} written to {split}, {stored} in its shards")


def _check_readable(plan: IngestPlan, summary: IngestSummary) -> None:
    reasons = ", ".join(f"{reason} {count}" for reason, count in summary.quarantined.items()) or "none"
    if not summary.examples:
        raise DataError(
            f"got {summary.found} files in {summary.root} and no readable image (set aside: {reasons}), "
            "expected JPEG, PNG, WebP, GIF, BMP or TIFF: correct data.path or the files"
        )
    by_class = Counter(name for classes in summary.written.values() for name, count in classes.items() if count)
    if unreadable := [name for name in plan.classes if name not in by_class]:
        raise DataError(
            f"got no readable image of {', '.join(unreadable)} (set aside: {reasons}), expected at least one for each "
            "class: correct the files or remove the folder"
        )


def _warnings(plan: IngestPlan, quarantined: Counter[str]) -> list[str]:
    warnings = []
    if plan.empty_classes:
        warnings.append(f"class folders without a file, left out: {some(plan.empty_classes)}")
    if several := quarantined["multi_label"]:
        warnings.append(f"{several} images with several labels (multi_label), left out: one for each is expected")
    if between := quarantined["two_classes"]:
        warnings.append(f"{between} files hold images that lie in more than one class, left out")
    if between := quarantined["in_two_splits"]:
        warnings.append(f"{between} files have copies in a stricter split, left out")
    return warnings


def _uneven(written: Mapping[str, Mapping[str, int]], given_splits: Collection[str]) -> list[str]:
    """Warns of classes that got far more or fewer images of a split than the others did."""
    sizes = Counter[str]()
    for classes in written.values():
        sizes.update(classes)
    images = sizes.total()
    found = []
    for split in sorted({"val", "eval"} - set(given_splits)):
        in_split = sum(written[split].values())
        for name, count in written[split].items():
            others = images - sizes[name]
            share = (in_split - count) / others if others else 0
            off = abs(count - share * sizes[name])
            if off >= max(LEAST_OFF, DEVIATIONS_OFF * math.sqrt(share * (1 - share) * sizes[name])):
                found.append(f"{name} has {count} of its {sizes[name]} images in {split}, the others {share:.0%}")
    if not found:
        return []
    return [f"uneven splits (near copies and groups stay together; another `seed` cuts anew): {some(found)}"]
