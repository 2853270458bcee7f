"""Checks the counts of an ingest and turns them into its summary."""

from collections import Counter
from collections.abc import Sequence

from components.errors import DataError
from components.image_example_gen.layout import Plan
from components.image_example_gen.split import SPLITS
from components.ingest_report import IngestSummary

SHOWN = 5  # names in a warning; the quarantine file has all

# Keys of the counters that the Beam step keeps; each counter is (key, *names).
SEEN, WRITTEN, QUARANTINED, REENCODED, STORED = "seen", "written", "quarantined", "reencoded", "stored"

Counts = dict[tuple[str, ...], int]


def summarise(root: str, fingerprint: str, plan: Plan, counts: Counts, copies: Sequence[dict]) -> IngestSummary:
    """Returns the summary of an ingest of which nothing was lost.

    Args:
        root: the image folder.
        fingerprint: that of its listing.
        plan: what was to be read.
        counts: the Beam step's counters.
        copies: for each group of files with the same bytes its "splits", "classes" and "paths".

    Raises:
        RuntimeError: if files were lost on the way.
        DataError: if no image, or none of a class, could be read.
    """
    written = {split: {name: counts.get((WRITTEN, split, name), 0) for name in plan.classes} for split in SPLITS}
    quarantined = Counter(rejected.reason for rejected in plan.rejected)
    for (key, *names), count in counts.items():
        if key == QUARANTINED:
            quarantined[names[0]] += count
    summary = IngestSummary(
        root=root,
        fingerprint=fingerprint,
        found=plan.found,
        written=written,
        quarantined=dict(sorted(quarantined.items())),
        reencoded={names[0]: count for (key, *names), count in sorted(counts.items()) if key == REENCODED},
        given_splits=sorted(plan.given_splits),
        empty_class_folders=plan.empty_classes,
        identical_files=sum(len(group["paths"]) - 1 for group in copies),
        warnings=_warnings(plan, copies),
    )
    _check_nothing_lost(plan, summary, counts)
    _check_readable(plan, summary)
    return summary


def _check_nothing_lost(plan: Plan, summary: IngestSummary, counts: Counts) -> None:
    quarantined = sum(summary.quarantined.values())
    seen = counts.get((SEEN,), 0)
    if seen != len(plan.images) or summary.found != summary.examples + quarantined:
        raise RuntimeError(
            f"files were lost: {summary.found} found, {len(plan.images)} of them to read, {seen} read, "
            f"{summary.examples} written, {quarantined} quarantined"
        )
    for split, classes in summary.written.items():
        written, stored = sum(classes.values()), counts.get((STORED, split), 0)
        if stored != written:
            raise RuntimeError(f"examples were lost: {written} written to {split}, {stored} in its shards")


def _check_readable(plan: Plan, summary: IngestSummary) -> None:
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


def _warnings(plan: Plan, copies: Sequence[dict]) -> list[str]:
    warnings = []
    if plan.empty_classes:
        warnings.append(f"class folders without a file, left out: {_some(plan.empty_classes)}")
    if between := [group["paths"] for group in copies if len(group["classes"]) > 1]:
        warnings.append(f"{len(between)} images lie in more than one class: {_some(map(' = '.join, between))}")
    if between := [group["paths"] for group in copies if len(group["splits"]) > 1]:
        warnings.append(f"{len(between)} images lie in more than one split: {_some(map(' = '.join, between))}")
    return warnings


def _some(names) -> str:
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
