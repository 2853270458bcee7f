"""The gate lets good data through, names what is wrong, and takes silence for a no."""

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.common.errors import DataError
from components.common.ingest_report import IngestSummary
from components.data_gate.verdict import (
    check,
    find_problems,
    find_statistics_problems,
    read_anomalies,
    read_statistics,
)

SPLITS = ("train", "val", "eval")


def summary_of(written=None, quarantined=None) -> IngestSummary:
    written = written or {split: {"cat": 50, "dog": 50} for split in SPLITS}
    return IngestSummary("images", "f", 0, written, quarantined or {})


def anomalies_of(**descriptions: str) -> dict[str, anomalies_pb2.Anomalies]:
    """An anomaly of the feature `image` for each split that is named."""
    found = {split: anomalies_pb2.Anomalies(baseline=schema_pb2.Schema()) for split in SPLITS}
    for split, description in descriptions.items():
        found[split].anomaly_info["image"].description = description
    return found


def problems_of(
    summary=None, anomalies=None, max_bad_fraction=0.1, min_images_per_class=10, max_class_imbalance=100.0
) -> list[str]:
    limits = (max_bad_fraction, min_images_per_class, max_class_imbalance)
    return find_problems(summary or summary_of(), anomalies or anomalies_of(), *limits)


def test_good_data_has_no_problems():
    assert problems_of() == []
    check([])


def test_an_anomaly_names_feature_split_and_reason():
    (problem,) = problems_of(anomalies=anomalies_of(eval="half of them are text"))
    assert problem == "image in eval: half of them are text"


def test_names_that_read_like_sentences_are_no_anomaly():
    guess = anomalies_pb2.AnomalyInfo.SEMANTIC_DOMAIN_UPDATE
    for feature, problems in (("path", 0), ("image", 1)):
        found = anomalies_of()
        found["train"].anomaly_info[feature].reason.add(type=guess)
        assert len(problems_of(anomalies=found)) == problems
    found = anomalies_of()
    found["train"].anomaly_info["path"].reason.add(type=guess)
    found["train"].anomaly_info["path"].reason.add(type=anomalies_pb2.AnomalyInfo.FEATURE_TYPE_LOW_FRACTION_PRESENT)
    assert len(problems_of(anomalies=found)) == 1, "the other reason counts"


def test_anomalies_of_the_whole_data_set_count():
    found = anomalies_of()
    found["val"].dataset_anomaly_info.description = "too few examples"
    found["eval"].data_missing = True
    assert problems_of(anomalies=found) == ["val: too few examples", "eval has no examples to validate"]


@pytest.mark.parametrize("split", SPLITS)
def test_an_empty_split_is_a_problem(split):
    written = {name: {"cat": 50, "dog": 50} for name in SPLITS} | {split: {"cat": 0, "dog": 0}}
    assert problems_of(summary_of(written))[0].startswith(f"the split {split} is empty")


def test_faulty_files_count_and_ignored_ones_do_not():
    assert problems_of(summary_of(quarantined={"ignored": 10_000, "truncated": 33})) == []
    (problem,) = problems_of(summary_of(quarantined={"ignored": 5, "truncated": 30, "not_an_image": 4}))
    assert "34 of 334 files (10.2%)" in problem
    assert "truncated 30, not_an_image 4" in problem


def test_a_small_class_is_named_with_its_number():
    written = {split: {"cat": 50, "dog": 9} for split in SPLITS}
    (problem,) = problems_of(summary_of(written))
    assert problem.startswith("class dog has 9 training images, at least 10")


def test_the_error_is_one_line_with_the_first_problems():
    with pytest.raises(DataError) as refused:
        check(["first", "second", "third", "fourth", "fifth"])
    assert str(refused.value).endswith("first; second; third (and 2 more)")


def statistics_of(examples: int, image_formats: bool = True) -> statistics_pb2.DatasetFeatureStatistics:
    counted = statistics_pb2.DatasetFeatureStatistics(num_examples=examples)
    feature = counted.features.add()
    feature.path.step.append("image")
    if image_formats:
        feature.custom_stats.add(name="image_format_histogram")
    return counted


def test_statistics_must_cover_every_example():
    assert find_statistics_problems(summary_of(), {"train": statistics_of(100)}) == []
    (problem,) = find_statistics_problems(summary_of(), {"train": statistics_of(80)})
    assert problem == "the statistics of train cover 80 of 100 examples"


def test_statistics_must_have_looked_at_the_image_formats_where_tfdv_does():
    (problem,) = find_statistics_problems(summary_of(), {"eval": statistics_of(100, image_formats=False)})
    assert problem.startswith("image in eval")
    few = summary_of({split: {"cat": 99} for split in SPLITS})
    assert find_statistics_problems(few, {"eval": statistics_of(99, image_formats=False)}) == []


@pytest.fixture
def verdicts(tmp_path):
    for split in SPLITS:
        (tmp_path / f"Split-{split}").mkdir()
        (tmp_path / f"Split-{split}/SchemaDiff.pb").write_bytes(anomalies_of()[split].SerializeToString())
        statistics = statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics_of(100)])
        (tmp_path / f"Split-{split}/FeatureStats.pb").write_bytes(statistics.SerializeToString())
    return tmp_path


def test_verdicts_are_read_for_every_split(verdicts):
    assert set(read_anomalies(str(verdicts))) == set(SPLITS)
    assert read_statistics(str(verdicts))["val"].num_examples == 100


@pytest.mark.parametrize(("name", "read"), [("SchemaDiff.pb", read_anomalies), ("FeatureStats.pb", read_statistics)])
@pytest.mark.parametrize("content", [None, b"", b"\xff garbage"])
def test_a_missing_empty_or_damaged_verdict_is_a_no(verdicts, name, read, content):
    path = verdicts / "Split-val" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"no verdict on the data.*Split-val"):
        read(str(verdicts))


def test_a_class_that_outnumbers_another_by_far_is_a_problem():
    written = {name: {"cat": 50, "dog": 1000} for name in SPLITS}
    assert problems_of(summary_of(written), max_class_imbalance=20.0) == []
    (problem,) = problems_of(summary_of(written), max_class_imbalance=19.0)
    assert problem.startswith("class dog has 1000 training images and cat 50, at most 19 times as many")
