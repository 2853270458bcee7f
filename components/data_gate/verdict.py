"""Whether the data is fit to train on, from what the ingest, the statistics and the validation said."""

from collections.abc import Mapping

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.common import files
from components.common.errors import DataError
from components.common.ingest_report import NO_FAULT, IngestSummary
from components.image_example_gen.split import SPLITS

ANOMALIES_FILE = "SchemaDiff.pb"
STATISTICS_FILE = "FeatureStats.pb"
# TFDV counts image formats only of a feature with at least so many values, 80 % of them images. Without the counts
# ExampleValidator passes over the schema's image domain, so that a split of nothing but text would be valid.
LEAST_FOR_IMAGE_FORMATS = 100
SHOWN = 3  # problems in the message; more would hide the first


def find_problems(
    summary: IngestSummary,
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    max_bad_fraction: float,
    min_images_per_class: int,
    max_class_imbalance: float,
) -> list[str]:
    """Returns what speaks against training, one line each, the gravest first; empty if nothing does.

    Args:
        summary: what the ingest did.
        anomalies: split -> what ExampleValidator found in it.
        max_bad_fraction: largest share of faulty files among the files that should be images, 0 to 1.
        min_images_per_class: fewest training images of each class.
        max_class_imbalance: how many times as many training images as the smallest class the largest may have.
    """
    return [
        *_empty_splits(summary),
        *find_anomalies(anomalies),
        *_faulty_files(summary, max_bad_fraction),
        *_small_classes(summary, min_images_per_class),
        *_imbalance(summary, max_class_imbalance),
    ]


def find_statistics_problems(
    summary: IngestSummary, statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics]
) -> list[str]:
    """Returns where the statistics do not cover what the ingest wrote, one line each.

    Args:
        summary: what the ingest did.
        statistics: split -> what StatisticsGen counted in it.
    """
    problems = []
    for split, counted in statistics.items():
        written = summary.images_of(split)
        if counted.num_examples != written:
            problems.append(f"the statistics of {split} cover {counted.num_examples} of {written} examples")
        elif written >= LEAST_FOR_IMAGE_FORMATS and not _counts_image_formats(counted):
            problems.append(f"image in {split}: its formats were not counted, because too few values are images")
    return problems


def find_anomalies(anomalies: Mapping[str, anomalies_pb2.Anomalies]) -> list[str]:
    """Returns what ExampleValidator found in the splits, one line each; empty if nothing."""
    problems = []
    for split, found in anomalies.items():
        if found.data_missing:
            problems.append(f"{split} has no examples to validate")
        for feature, info in sorted(found.anomaly_info.items()):
            if not _is_a_guess_about_names(feature, info):
                problems.append(f"{feature} in {split}: {info.description or info.short_description}")
        if found.HasField("dataset_anomaly_info"):
            problems.append(f"{split}: {found.dataset_anomaly_info.description}")
    return problems


def describe_other_classes(classes: list[str], served: list[str] | None) -> str:
    """Says how the classes differ from the served model's; "" if they do not, or that model's are unknown."""
    if served is None or set(classes) == set(served):
        return ""
    new = [name for name in classes if name not in served]
    gone = [name for name in served if name not in classes]
    told = [f"does not know {', '.join(new)}"] * bool(new) + [f"also knows {', '.join(gone)}"] * bool(gone)
    return f"the served model {' and '.join(told)}"


def _is_a_guess_about_names(feature: str, info: anomalies_pb2.AnomalyInfo) -> bool:
    """Tells whether it says no more than that file names read like sentences, which they may.

    The statistics have such guesses because only with them TFDV checks the image domain.
    """
    kinds = {reason.type for reason in info.reason}
    return feature != "image" and kinds == {anomalies_pb2.AnomalyInfo.SEMANTIC_DOMAIN_UPDATE}


def check(problems: list[str]) -> None:
    """Does nothing if there are no problems.

    Raises:
        DataError: one line with the first problems and the number of others.
    """
    if problems:
        more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
        raise DataError(f"the data is not fit to train on: {'; '.join(problems[:SHOWN])}{more}")


def read_anomalies(uri: str) -> dict[str, anomalies_pb2.Anomalies]:
    """Reads ExampleValidator's finding for every split.

    Raises:
        DataError: if one is missing or damaged, because silence is no approval.
    """
    return {split: _read_split(files.join(uri, f"Split-{split}", ANOMALIES_FILE)) for split in SPLITS}


def read_statistics(uri: str) -> dict[str, statistics_pb2.DatasetFeatureStatistics]:
    """Reads StatisticsGen's numbers for every split.

    Raises:
        DataError: if some are missing or damaged.
    """
    statistics = {}
    for split in SPLITS:
        path = files.join(uri, f"Split-{split}", STATISTICS_FILE)
        try:
            found = statistics_pb2.DatasetFeatureStatisticsList.FromString(files.read_bytes(path))
            (statistics[split],) = found.datasets
        except (OSError, DecodeError, ValueError) as error:
            raise DataError(f"no verdict on the data: cannot read {path} ({error}); run StatisticsGen again") from error
    return statistics


def _read_split(path: str) -> anomalies_pb2.Anomalies:
    try:
        content = files.read_bytes(path)
    except OSError as error:
        raise DataError(f"no verdict on the data: cannot read {path} ({error}); run ExampleValidator again") from error
    try:
        found = anomalies_pb2.Anomalies.FromString(content)
    except DecodeError as error:
        raise DataError(f"no verdict on the data: {path} is damaged; run ExampleValidator again") from error
    # An empty file parses as "no anomalies", but ExampleValidator always writes down the schema it compared with.
    if not found.HasField("baseline"):
        raise DataError(f"no verdict on the data: {path} names no schema; run ExampleValidator again")
    return found


def _counts_image_formats(counted: statistics_pb2.DatasetFeatureStatistics) -> bool:
    return any(
        custom.name == "image_format_histogram"
        for feature in counted.features
        if list(feature.path.step) == ["image"]
        for custom in feature.custom_stats
    )


def _empty_splits(summary: IngestSummary) -> list[str]:
    return [
        f"the split {split} is empty: add images or enlarge its fraction"
        for split in SPLITS
        if not summary.images_of(split)
    ]


def _faulty_files(summary: IngestSummary, max_bad_fraction: float) -> list[str]:
    candidates = summary.examples + summary.faulty
    if not candidates or summary.faulty <= max_bad_fraction * candidates:
        return []
    share = summary.faulty / candidates
    reasons = ", ".join(f"{reason} {count}" for reason, count in summary.quarantined.items() if reason not in NO_FAULT)
    return [
        f"{summary.faulty} of {candidates} files ({share:.1%}) were quarantined ({reasons}), at most "
        f"{max_bad_fraction:.1%} may be: see quarantine.jsonl, or raise data.max_bad_fraction"
    ]


def _small_classes(summary: IngestSummary, min_images_per_class: int) -> list[str]:
    return [
        f"class {name} has {count} training images, at least {min_images_per_class} are needed: "
        "add images or lower data.min_images_per_class"
        for name, count in summary.written.get("train", {}).items()
        if count < min_images_per_class
    ]


def _imbalance(summary: IngestSummary, max_class_imbalance: float) -> list[str]:
    counts = summary.written.get("train", {})
    if not counts or max(counts.values()) <= max_class_imbalance * min(counts.values()):
        return []
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return [
        f"class {largest} has {counts[largest]} training images and {smallest} {counts[smallest]}, at most "
        f"{max_class_imbalance:g} times as many are allowed: balance them, or raise data.max_class_imbalance and see "
        "train.class_balance"
    ]
