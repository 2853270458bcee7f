"""The report's part on the images."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common import files
from components.common.ingest_report import NO_FAULT, IngestSummary, read_quarantine, read_summary
from components.common.profile import (
    ASPECT_BINS_PER_OCTAVE,
    BRIGHTNESS_BINS,
    PROFILE_PATH,
    SIZE_BINS_PER_OCTAVE,
    Profile,
    divergence,
    read_profile,
)
from components.data_gate.verdict import find_anomalies, read_anomalies, read_statistics
from components.run_report import plots
from components.run_report.content import DataSection, Facts, Picture
from components.run_report.images import MOST_BYTES, thumbnail
from components.run_report.sources import ReportSettings, Sources

MOST_SAMPLED_CLASSES, SAMPLES_OF_CLASS = 12, 6
MOST_QUARANTINED = 24
NOT_SHOWN = ("ignored", "too_many_bytes", "too_many_pixels", "too_many_scans")
PLOTTED = ("brightness", "size", "aspect", "format")
SHOWN_STATISTICS = ("brightness", "width", "height")


def gather_data(
    sources: Sources, settings: ReportSettings, served: str, samples: Iterable[tuple[str, str, bytes]]
) -> DataSection | None:
    """Returns what is known of the images; None if they were never read.

    Args:
        sources: the artifacts.
        settings: of the run.
        served: folder of the served SavedModel; "" if there is none.
        samples: class, path and encoded image of training examples.
    """
    if not sources.ingest_report:
        return None
    summary = read_summary(sources.ingest_report)
    quarantine = read_quarantine(sources.ingest_report)
    splits = list(summary.written)
    counts = {name: [summary.written[split][name] for split in splits] for name in summary.classes}
    before = read_profile(served) if served and files.exists(files.join(served, *PROFILE_PATH)) else None
    return DataSection(
        facts=_facts(summary),
        warnings=summary.warnings,
        splits=splits,
        classes=list(counts.items()),
        samples=_samples(samples),
        quarantine=[_quarantined(summary.root, entry) for entry in _faulty_first(quarantine)[:MOST_QUARANTINED]],
        quarantined=summary.quarantined,
        distributions=[plots.class_bars("Images of each class", splits, counts), *_distributions(summary, before)],
        drift=_drift(summary.profile, before, settings.drift) if before else [],
        statistics=_statistics(sources.statistics) if sources.statistics else [],
        anomalies=find_anomalies(read_anomalies(sources.anomalies)) if sources.anomalies else [],
    )


def _facts(summary: IngestSummary) -> Facts:
    splits = ", ".join(f"{split} {summary.images_of(split):,}" for split in summary.written)
    cut = "as the folders say" if summary.given_splits else "cut by image content"
    facts = [
        ("images", f"{summary.examples:,} of {summary.found:,} files"),
        ("classes", str(len(summary.classes))),
        ("splits", f"{splits} ({cut})"),
        ("identical files", f"{summary.identical_files:,}"),
        ("near copies", f"{summary.near_duplicates:,} more; copies never lie in two splits"),
    ]
    if summary.reencoded:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.reencoded.items())
        facts.append(("stored anew, for their", reasons))
    return [*facts, ("folder", summary.root)]


def _samples(samples: Iterable[tuple[str, str, bytes]]) -> list[tuple[str, list[Picture]]]:
    grid: dict[str, list[Picture]] = {}
    for name, path, encoded in samples:
        row = grid.setdefault(name, []) if len(grid) < MOST_SAMPLED_CLASSES else grid.get(name, [])
        if name in grid and len(row) < SAMPLES_OF_CLASS:
            row.append(Picture(thumbnail(encoded), path))
    return sorted(grid.items())


def _faulty_first(quarantine: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(quarantine, key=lambda entry: entry["reason"] in NO_FAULT)


def _quarantined(root: str, entry: dict[str, str]) -> Picture:
    """The file may be gone by now, be no image or be damaged: then there is no picture, which the report says."""
    path = files.join(root, entry["path"])
    source = ""
    if not entry["path"].endswith("/") and entry["reason"] not in NOT_SHOWN:
        try:
            if files.is_remote(path) or Path(path).is_file():  # a pipe would be waited for
                with files.open_binary(path) as file:
                    source = thumbnail(file.read(MOST_BYTES + 1))  # of a larger one it shows nothing
        except OSError:
            source = ""
    return Picture(source, entry["path"], entry["message"])


def _distributions(summary: IngestSummary, before: Profile | None) -> list[Markup]:
    figures = []
    for feature in PLOTTED:
        profiles: dict[str, Mapping[str, int]] = {"these images": summary.profile.get(feature, {})}
        if before and before.get(feature):
            profiles["the served model's"] = before[feature]
        kinds = sorted({kind for profile in profiles.values() for kind in profile}, key=_order)
        if len(kinds) > 1:  # of one kind alone there is nothing to see
            series = {
                name: [profile.get(kind, 0) / max(sum(profile.values()), 1) for kind in kinds]
                for name, profile in profiles.items()
            }
            figures.append(plots.shares(feature.capitalize(), [_kind_name(feature, kind) for kind in kinds], series))
    return figures


def _order(kind: str) -> tuple[float, str]:
    return (float(kind), "") if kind.lstrip("-").isdecimal() else (0.0, kind)


def _kind_name(feature: str, kind: str) -> str:
    """What a bin of data_profile.profile holds, in a person's words."""
    if feature == "brightness":
        return f"{int(kind) / BRIGHTNESS_BINS:.2f}"
    if feature == "size":
        return f"{2 ** (int(kind) / SIZE_BINS_PER_OCTAVE):.0f} px"
    if feature == "aspect":
        return f"{2 ** (int(kind) / ASPECT_BINS_PER_OCTAVE):.2f}"
    return kind


def _drift(profile: Profile, before: Profile, limits: dict[str, float]) -> list[tuple[str, float, float | None]]:
    shared = [feature for feature in profile if profile[feature] and before.get(feature)]
    return [(feature, divergence(profile[feature], before[feature]), limits.get(feature)) for feature in shared]


def _statistics(uri: str) -> list[tuple[str, Facts]]:
    return [(split, _split_facts(counted)) for split, counted in read_statistics(uri).items()]


def _split_facts(counted: statistics_pb2.DatasetFeatureStatistics) -> Facts:
    facts: Facts = [("examples", f"{counted.num_examples:,}")]
    features = {feature.path.step[0]: feature for feature in counted.features}
    missing = {name: _common(feature).num_missing for name, feature in features.items()}
    named = ", ".join(f"{name} {count:,}" for name, count in missing.items() if count)
    facts.append(("missing values", named or "none"))
    for name in SHOWN_STATISTICS:
        if name in features:
            numbers = features[name].num_stats
            places = "{:.3f}" if name == "brightness" else "{:,.0f}"
            low, middle, high = (places.format(value) for value in (numbers.min, numbers.median, numbers.max))
            facts.append((name, f"{low} to {high}, median {middle}"))
    for name in ("format", "class_name"):
        if name in features:
            ranks = features[name].string_stats.top_values[:5]
            more = " ..." if features[name].string_stats.unique > len(ranks) else ""
            facts.append((name, ", ".join(f"{_isolated(rank.value)} {rank.frequency:,.0f}" for rank in ranks) + more))
    if "image" in features:
        sizes = features["image"].bytes_stats
        ends = f"{sizes.min_num_bytes:,.0f} to {sizes.max_num_bytes:,.0f}"
        facts.append(("bytes of an image", f"{ends}, {sizes.avg_num_bytes:,.0f} on average"))
    return facts


def _common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    stats = getattr(feature, feature.WhichOneof("stats"))
    return stats.common_stats


def _isolated(name: str) -> str:
    """A name in a list, kept by Unicode's isolates from turning its neighbours round where it runs right to left."""
    return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
