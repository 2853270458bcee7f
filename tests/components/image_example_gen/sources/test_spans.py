"""Which day's folder is read, and that a missing one is named."""

import datetime

import pytest

from components.common.errors import DataError, MissingData
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule

TODAY = datetime.date(2024, 3, 2)
DAYS = ["2024-02-28", "2024-02-29", "2024-03-01"]


@pytest.mark.parametrize(
    ("rule", "names", "chosen"),
    [
        (SpanRule(), DAYS, ["2024-03-01"]),
        (SpanRule(window=3), DAYS, DAYS),
        (SpanRule("2024-02-29", window=2), DAYS, DAYS[:2]),
        (SpanRule("20240229"), DAYS, ["2024-02-29"]),
        (SpanRule("yesterday"), DAYS, ["2024-03-01"]),
        (SpanRule("today", window=4, allow_missing=True), DAYS, DAYS),
        (SpanRule(window=2), ["20240229", "20240301", "notes"], ["20240229", "20240301"]),
        (SpanRule(window=2), ["8", "9", "10", "draft"], ["9", "10"]),
        (SpanRule("9"), ["08", "09", "10"], ["09"]),
    ],
)
def test_the_last_spans_are_chosen_in_order(rule, names, chosen):
    assert rule.choose(names, TODAY) == chosen


@pytest.mark.parametrize(
    ("rule", "names", "message"),
    [
        (SpanRule("today"), DAYS, r"span 2024-03-02 \(there are 2024-02-28"),
        (SpanRule(window=3), [DAYS[0], DAYS[2]], "span 2024-02-29"),
        (SpanRule("3", allow_missing=True), ["1", "2"], "span 3"),
        (SpanRule(), ["draft"], "no folder whose name"),
        (SpanRule("tomorrow"), DAYS, "expected latest, today"),
        (SpanRule(), [*DAYS, "7"], "side by side"),
    ],
)
def test_a_missing_span_is_an_error_that_names_it(rule, names, message):
    with pytest.raises(DataError, match=message):
        rule.choose(names, TODAY)


def plan_of(root, tail="", rule=SpanRule(window=2)):  # noqa: B008 - frozen
    source = find_source(f"{root}/{{SPAN}}{tail}", rule)
    return source, source.plan()


def test_spans_share_their_classes_and_keep_their_paths(make_tree):
    root = make_tree({"1/cat/a.png": b"a", "2/cat/b.png": b"b", "2/dog/c.png": b"c", "3/dog/d.png": b"d"})
    source, plan = plan_of(root)
    assert source.root == str(root)
    assert plan.classes == ["cat", "dog"]
    assert [(image.path, image.label) for image in plan.images] == [
        ("2/cat/b.png", 0),
        ("2/dog/c.png", 1),
        ("3/dog/d.png", 1),
    ]


def test_a_span_may_stand_within_a_name_and_above_a_manifest(make_tree):
    rows = b"path,label\nx/a.png,cat\ny/b.png,dog\n"
    tree = {f"day-{day}/data/{name}": b"x" for day in (1, 2) for name in ("x/a.png", "y/b.png")}
    root = make_tree(tree | {f"day-{day}/data/labels.csv": rows for day in (1, 2)})
    plan = find_source(f"{root}/day-{{SPAN}}/data/labels.csv", SpanRule()).plan()
    assert [image.path for image in plan.images] == ["day-2/data/x/a.png", "day-2/data/y/b.png"]


def test_the_fingerprint_follows_a_new_span_and_nothing_outside_the_window(make_tree):
    root = make_tree({"2/cat/b.png": b"b", "2/dog/c.png": b"c"})
    before = plan_of(root, rule=SpanRule())[0].fingerprint()
    make_tree({"1/cat/old.png": b"old"})
    assert plan_of(root, rule=SpanRule())[0].fingerprint() == before
    make_tree({"3/cat/b.png": b"b", "3/dog/c.png": b"c"})
    assert plan_of(root, rule=SpanRule())[0].fingerprint() != before


@pytest.mark.parametrize(("path", "message"), [("{SPAN}/{SPAN}", "twice"), ("none/{SPAN}", "no folder")])
def test_a_path_that_cannot_be_filled_in_is_refused(make_tree, path, message):
    with pytest.raises(DataError, match=message):
        find_source(f"{make_tree({})}/{path}", SpanRule())


def test_a_missing_manifest_is_refused(make_tree):
    root = make_tree({"cat/1.png": b"x"})
    with pytest.raises(DataError, match=r"no file labels\.csv"):
        find_source(f"{root}/labels.csv", SpanRule())


@pytest.mark.parametrize("last", ["today", "yesterday"])
def test_numbers_that_are_asked_for_a_day_need_the_latest(last):
    rule, numbers = SpanRule(last), ["1", "2", "3"]
    for asked in (rule.choose, rule.as_of):
        with pytest.raises(MissingData, match=f"numbers are no days: {last} finds none, set data.span.last=latest"):
            asked(numbers, datetime.date(2026, 11, 25))
        with pytest.raises(MissingData) as of_days:
            asked(["2026-11-01"], datetime.date(2026, 11, 25))
        assert "latest" not in str(of_days.value)
