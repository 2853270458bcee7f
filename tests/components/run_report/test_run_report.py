"""The report as a person gets it: everything said, everything escaped, nothing fetched."""

import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from components.common.metrics import ACCURACY, METRICS
from components.gated_evaluator.slices import Slice
from components.run_report import plots
from components.run_report.analysis import Answers, calibration_bins, worst_mistakes
from components.run_report.collect_data import _quarantined as quarantined
from components.run_report.content import (
    ClassRow,
    Comparison,
    DataSection,
    EvaluationSection,
    LineageSection,
    MetricRow,
    Mistake,
    Picture,
    Report,
    RunOutcome,
    ScheduledAttempt,
    ServingSection,
    TrainingSection,
    TuningSection,
)
from components.run_report.images import as_seen, overlay, thumbnail
from components.run_report.render import render
from components.run_report.schedule import read_schedule

NAMES = ["<script>alert(1)</script>", "菊花", "زهرة", '🌼 & "quoted"', "$x_1^2$"]
SECTIONS = (
    "verdict",
    "comparison",
    "data",
    "training",
    "tuner",
    "evaluation",
    "mistakes",
    "serving",
    "schedule",
    "lineage",
)


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(str(html))  # not as Markup, which would escape what the parser joins to it

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def full_report(names=NAMES, draw: bool = True) -> Report:
    """A report in which every name stands wherever a name can stand; figures only if they are asked for."""
    picture = Picture(as_seen(np.zeros((8, 8, 3), np.uint8)), names[0], names[1])
    return Report(
        name=names[0],
        created="2024-05-31",
        outcome=RunOutcome(False, "Refused", [f"class {name}" for name in names], names),
        comparison=Comparison(
            "1", [MetricRow(METRICS[ACCURACY], 0.9, 0.8, names[0])], [("a", *names[:2])], [(names[0], 1, 0.5)]
        ),
        data=DataSection(
            facts=[("folder", names[0])],
            warnings=names,
            splits=["train", "val", "eval"],
            classes=[(name, [1, 2, 3]) for name in names],
            samples=[(name, [picture]) for name in names],
            quarantine=[picture, Picture("", names[0])],
            quarantined={"truncated": 2},
            distributions=[plots.class_bars("Classes", ["train"], {name: [3] for name in names})] if draw else [],
            drift=[(names[0], 0.2, 0.1)],
            statistics=[("train", [("classes", names[0])])],
            anomalies=names,
        ),
        training=TrainingSection([("recipe", names[0])], [plots.curves("Loss", [1], {"train": [1.0]})] if draw else []),
        tuning=TuningSection([], names[:1], [names[:1]], [picture]),
        evaluation=EvaluationSection(
            classes=[ClassRow(name, 3, 0.5, None, 0.4) for name in names],
            confused=[(names[0], names[1], 3)],
            figures=[plots.confusion("Confusion", np.eye(len(names), dtype=int), names)] if draw else [],
            slices=[Slice("size", names[0], 0.5, 10)],
            looked_at=(10, 20),
        ),
        mistakes=[Mistake(names[0], names[1], names[2], 0.99, picture.source, picture.source)],
        serving=ServingSection([("memory", "700 MB")], names),
        schedule=[ScheduledAttempt("2024-05-31 02:00 CEST", names[0], "refused", names[1], "17")],
        lineage=LineageSection([("code", names[0])], [("model", names[0])], [(names[0], names[1])], names[0]),
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render(full_report())


def test_every_section_is_there_in_the_order_in_which_a_person_asks(html):
    assert tuple(re.findall(r'<section id="(\w+)">', html)) == SECTIONS


def test_names_are_text_and_never_markup(html):
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag == "script"]
    for name in NAMES:
        assert name in page.text
    # In the figures too, where the browser's fonts show them.
    figure = Page(plots.confusion("Confusion", np.eye(len(NAMES), dtype=int), NAMES))
    assert "script" not in {tag for tag, _ in figure.tags}
    assert all(name in figure.text for name in NAMES)


PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)


def elements(html) -> list[tuple[str, list[str]]]:
    return [(tag, sorted(attrs)) for tag, attrs in Page(html).tags]


@settings(deadline=None, max_examples=30)
@given(st.lists(PRINTABLE, min_size=5, max_size=5))
def test_no_name_makes_a_tag_or_an_attribute(names):
    assert elements(render(full_report(names, draw=False))) == elements(render(full_report(list("abcde"), draw=False)))


@settings(deadline=None, max_examples=5)
@given(PRINTABLE)
def test_no_name_makes_a_tag_in_a_figure(name):
    tags = {tag for tag, _ in elements(plots.confusion("Confusion", np.eye(2, dtype=int), [name, "other"]))}
    assert tags <= {"svg", "defs", "style", "g", "path", "use", "text", "tspan", "image", "clippath", "rect"}


def test_a_class_that_is_called_as_a_colour_keeps_its_name():
    assert plots.INK in Page(plots.class_bars("Classes", ["train"], {plots.INK: [1], "b": [2]})).text


def test_nothing_is_fetched_and_nothing_runs(html):
    for _, attrs in Page(html).tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), attrs
        assert not [name for name in attrs if name.startswith("on")]
    assert "url(http" not in html and "@import" not in html
    assert "default-src 'none'" in html


def test_no_two_elements_have_one_id(html):
    ids = [attrs["id"] for _, attrs in Page(html).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_what_a_run_never_came_to_is_left_out():
    html = render(Report("short", "today", RunOutcome(False, "Stopped before its end", ["no images"])))
    assert re.findall(r'<section id="(\w+)">', html) == ["verdict"]
    assert "no images" in html


def answers(labels, probabilities) -> Answers:
    paths = [str(number) for number in range(len(labels))]
    return Answers(np.array(labels), np.array(probabilities, np.float32), paths)


def test_the_worst_mistakes_are_the_surest_ones():
    found = answers([0, 0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.51, 0.49], [0.99, 0.01]])
    assert worst_mistakes(found, 2) == [3, 1]


def test_calibration_counts_every_image_once_and_tells_how_often_it_was_right():
    found = answers([0, 1, 0, 0], [[0.95, 0.05], [0.96, 0.04], [0.55, 0.45], [1.0, 0.0]])
    low, high = calibration_bins(found)
    assert (low.images, low.accuracy) == (1, 1.0)
    assert (high.images, high.accuracy) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a\0\0"])
def test_a_file_that_is_no_picture_has_no_thumbnail(content):
    assert thumbnail(content) == ""


@pytest.mark.parametrize("image_format", ["AVIF", "WEBP", "TIFF", "JPEG2000", "GIF"])
def test_a_picture_of_any_format_that_cannot_be_read_has_none(picture, encode, image_format):
    if not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}.get(image_format, "zlib")):
        pytest.skip(f"this Pillow cannot write {image_format}")
    whole = encode(picture.resize((64, 48)), image_format)
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), 6):
            damaged[at] = random.integers(256)
        assert thumbnail(bytes(damaged)).startswith("data:image/jpeg;base64,") or not thumbnail(bytes(damaged))


def test_a_film_on_a_storage_is_not_fetched_to_be_shown():
    film = {"path": "film.mp4", "reason": "too_many_bytes", "message": "9,000,000,000 bytes are too many for an image"}
    assert quarantined("nowhere://images", film).source == "", "to read there would be an error"


def test_of_a_damaged_picture_the_rest_is_shown(picture, encode):
    whole = encode(picture.resize((480, 320)), "JPEG", quality=95)
    assert thumbnail(whole[: len(whole) // 2]).startswith("data:image/jpeg;base64,")


def test_a_thumbnail_is_small_and_upright(picture, encode):
    import base64

    turned = Image.Exif()
    turned[0x0112] = 6
    source = thumbnail(encode(picture.resize((480, 320)), "JPEG", exif=turned))
    shown = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert shown.size == (64, 96)


def test_the_overlay_is_brightest_where_the_heat_is():
    import base64

    heat = np.zeros((8, 8))
    heat[:4, :4] = 1.0
    source = overlay(np.full((8, 8, 3), 128, np.uint8), heat)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))), int).sum(axis=2)
    quarter = len(shown) // 2
    assert shown[: quarter - 20, : quarter - 20].mean() > shown[quarter + 20 :, quarter + 20 :].mean() + 100


def test_the_schedule_s_earlier_attempts_are_read_the_newest_first(tmp_path):
    row = {"due": "2024-05-31 02:00 CEST", "kind": "scheduled", "spans": [], "span": "", "served_after": "17"}
    rows = [
        {**row, "verdict": "missing data", "why": "got no folder", "span": "2024-05-31"},
        {**row, "verdict": "refused", "why": "drifted", "spans": ["2024-05-30", "2024-05-31"], "kind": "backfill"},
        {**row, "verdict": "running", "why": "300 new images"},
    ]
    (tmp_path / "history.json").write_text(json.dumps(rows))
    assert read_schedule(str(tmp_path / "history.json")) == [
        ScheduledAttempt("2024-05-31 02:00 CEST, backfill", "2024-05-30 to 2024-05-31", "refused", "drifted", "17"),
        ScheduledAttempt("2024-05-31 02:00 CEST", "2024-05-31", "missing data", "got no folder", "17"),
    ]
    assert read_schedule(str(tmp_path / "nothing yet.json")) == read_schedule("") == []
