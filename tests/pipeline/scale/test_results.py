"""What users read of a study: table, figures and page; and what a search writes into their pipeline.yaml."""

import csv
import io
import math
from types import SimpleNamespace

import pytest

from components.common.human_format import clock
from pipeline.config.edit import check_can_set, set_values
from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.config.model import ConfigError
from pipeline.scale.figures import accuracy_figure, search_figure
from pipeline.scale.report import Page, write_page
from pipeline.scale.results import Row, csv_of_trainings, csv_table, guessing, not_told_apart
from pipeline.scale.search import check_learned
from pipeline.scale.study import print_rows
from pipeline.terminal import make_console
from trainer.compound.constant_prediction import constant_loss


def make_row(name, group, accuracies, macs=1_000_000, epochs=4, latency_ms=2.5, **details) -> Row:
    outcomes = tuple(
        SimpleNamespace(
            val_accuracy=accuracy,
            val_loss=2.0 - accuracy,
            parameters=macs // 10,
            macs=macs,
            latency_ms=latency_ms,
            seconds=3.0,
            images=200,
            val_images=100,
            largest_share=0.25,
            constant_loss=1.6,
            device="a processor",
        )
        for accuracy in accuracies
    )
    return Row(SimpleNamespace(name=name, group=group, details=details), epochs, dict(enumerate(outcomes, start=42)))


ROWS = [
    make_row("base", "base", [0.5, 0.6], side=48),
    make_row("deep & <b>", "depth", [0.7, 0.7], macs=2_000_000, side=48),
    make_row("wide", "width", [0.6, 0.8], macs=2_100_000, side=48),
]


def test_means_and_spreads_over_seeds():
    row = ROWS[0]
    assert (row.accuracy, row.loss) == pytest.approx((0.55, 1.45))
    assert row.accuracy_spread == pytest.approx(0.0707, abs=1e-4)
    assert row.sampling_error == pytest.approx(0.0497, abs=2e-3)  # a coin of 0.55, 100 times
    assert row.error == pytest.approx(math.hypot(row.sampling_error, 0.05))  # the mean of two seeds that are 0.1 apart


def test_one_seed_tells_nothing_of_the_spread():
    (one,) = csv.DictReader(io.StringIO(csv_table([make_row("one", "x", [0.5])])))
    assert (one["accuracy"], one["accuracy_spread"], one["loss_spread"]) == ("0.5", "", "")


def test_a_hundred_right_answers_do_not_make_a_network_perfect():
    perfect = make_row("perfect", "x", [1.0])
    assert 0.01 < perfect.sampling_error < 0.03
    assert not_told_apart(perfect, make_row("nearly", "x", [0.97]))
    assert not not_told_apart(perfect, make_row("good", "x", [0.8]))
    assert not_told_apart(make_row("lucky", "x", [0.9, 0.5]), make_row("good", "x", [0.5, 0.5]))


def test_networks_that_do_no_better_than_guessing_are_named_and_none_of_them_is_written_down():
    lazy, good = make_row("lazy", "x", [0.25]), make_row("good", "x", [0.8])
    assert "largest class, which is right for 0.2500 of the images: lazy." in guessing([lazy, good])
    assert "all 2 networks" in guessing([lazy, lazy])
    assert guessing([good]) == ""
    check_learned(good)
    for bad in (lazy, make_row("sure and wrong", "x", [0.35])):  # its loss is 1.65
        with pytest.raises(ConfigError, match=r"learned nothing: the best constant prediction has accuracy 0\.2500"):
            check_learned(bad)


def test_one_answer_to_all_has_the_entropy_of_the_labels():
    assert constant_loss([50, 50, 0], 0.0) == pytest.approx(math.log(2))
    assert constant_loss([1, 1, 1], 0.1) == pytest.approx(math.log(3))
    assert constant_loss([100, 0], 0.1) == pytest.approx(-0.95 * math.log(0.95) - 0.05 * math.log(0.05))


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_fits_eighty_columns_and_cuts_no_name(terminal):
    rows = [make_row(name, "x", [0.5, 0.6], macs=3_000_000_000, side=224) for name in ("MobileNetV3Large", "ResNet50")]
    rows.append(make_row("resolution x2 = compound x2", "x", [0.5], macs=40_000_000, side=66))
    out = io.StringIO()
    print_rows(make_console(file=out, width=80 if terminal else 40, force_terminal=terminal, color_system=None), rows)
    lines = out.getvalue().splitlines()
    for name in ("MobileNetV3Large ", "ResNet50 ", "resolution x2 ", "= compound x2 "):
        assert any(line.startswith(name) for line in lines), name
    assert any("accuracy" in line for line in lines)
    assert max(len(line.rstrip()) for line in lines if "0.5500" in line or "accuracy" in line) <= 80
    assert "a processor" in out.getvalue()


def test_every_training_has_a_line_with_its_seed():
    lines = list(csv.DictReader(io.StringIO(csv_of_trainings(ROWS))))
    assert [(line["network"], line["seed"], line["accuracy"]) for line in lines[:3]] == [
        ("base", "42", "0.5"),
        ("base", "43", "0.6"),
        ("deep & <b>", "42", "0.7"),
    ]
    assert len(lines) == 6


def test_the_csv_has_a_line_for_each_network():
    (base, deep, _) = csv.DictReader(io.StringIO(csv_table(ROWS)))
    assert (base["network"], base["seeds"], base["accuracy"], base["seconds"]) == ("base", "2", "0.55", "6.0")
    assert (deep["macs"], deep["side"]) == ("2000000", "48")
    (unmeasured,) = csv.DictReader(io.StringIO(csv_table([make_row("a", "b", [0.5], latency_ms=None)])))
    assert unmeasured["latency_ms"] == ""


@pytest.mark.parametrize("base", ["base", None])
def test_the_page_stands_for_itself_and_takes_no_markup_from_names(tmp_path, base):
    page = write_page(tmp_path, Page("Ways", "Of <i>old</i>.", {"images": "a&b"}, ROWS, base))
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    assert "<b>" not in text and "<i>old" not in text
    assert "a&amp;b" in text
    assert "http-equiv" not in text and "src=" not in text
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "accuracy_flops.png",
        "accuracy_latency.png",
        "accuracy_parameters.png",
    ]


def test_costs_can_be_read_off_the_axis_and_one_seed_has_no_bar():
    rows = [
        make_row(name, "width", accuracies, macs=macs)
        for name, accuracies, macs in (("a", [0.5, 0.6], 3_200_000), ("b", [0.6], 12_800_000), ("c", [0.7], 25_600_000))
    ]
    figure = accuracy_figure(rows, lambda row: row.outcomes[0].macs / 1e6, "millions")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    shown = [text for text, place in zip(labels, axes.get_xticks(), strict=True) if text and low <= place <= high]
    assert {"3", "5", "10", "20", "30"} >= set(shown) >= {"5", "10", "20"}
    (bars,) = axes.containers[0].lines[2]
    lengths = [segment[1][1] - segment[0][1] for segment in bars.get_segments() if len(segment)]
    assert [length > 0 for length in lengths if not math.isnan(length)] == [True]


def test_one_network_by_two_names_lies_on_both_lines_and_the_same_line_is_drawn_once():
    base = make_row("base", "base", [0.4], macs=1_000_000)
    both = make_row("width x2 = compound x2", "width = compound", [0.6], macs=2_000_000)
    (axes,) = accuracy_figure([base, both], lambda row: row.outcomes[0].macs, "macs", base).axes
    assert axes.get_legend_handles_labels()[1] == ["width = compound"]
    wider = make_row("width x4", "width", [0.7], macs=4_000_000)
    (axes,) = accuracy_figure([base, both, wider], lambda row: row.outcomes[0].macs, "macs", base).axes
    points = {line.get_label(): len(line.lines[0].get_xdata()) for line in axes.containers}
    assert points == {"width": 3, "compound": 2}


def test_networks_without_a_common_base_are_named_in_the_legend():
    rows = [make_row(name, name[:3], [0.5], macs=macs) for name, macs in (("b0", 11_000_000), ("b1", 14_000_000))]
    figure = accuracy_figure(rows, lambda row: row.outcomes[0].macs / 1e6, "millions")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend_handles_labels()[1] == ["b0", "b1"]
    assert not axes.texts
    low, high = axes.get_xlim()
    assert sum(low <= place <= high for place in axes.get_xticks()) >= 3


def test_the_search_figure_shows_grid_and_course(tmp_path):
    rows = [
        make_row("one", "grid", [0.5], epochs=2, alpha=1.2, beta=1.1, gamma=1.15),
        make_row("two", "grid", [0.4], epochs=2, alpha=1.0, beta=1.4, gamma=1.0),
        make_row("one", "grid", [0.7], epochs=4, alpha=1.2, beta=1.1, gamma=1.15),
    ]
    figure = search_figure(rows, rows[2])
    grid, course, *_ = figure.axes
    assert (grid.get_xlabel(), course.get_xlabel()) == ("gamma (resolution)", "epochs")
    figure.savefig(tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 10_000


def test_what_was_found_is_written_where_model_reads_it_and_nothing_else_changes(tmp_path):
    path = tmp_path / "pipeline.yaml"
    before = DEFAULT_PATH.read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    set_values(path, {"model.alpha": 1.4, "model.beta": 1.0, "model.gamma": 1.3})
    model = load_config(path).model
    assert (model.alpha, model.beta, model.gamma) == (1.4, 1.0, 1.3)
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), path.read_text(encoding="utf-8").splitlines(), strict=True)
        if old != new
    ]
    assert [old.split()[0] for old, _ in changed] == ["alpha:", "beta:", "gamma:"]
    assert changed[0][1].endswith(changed[0][0].partition("#")[2])  # the comment is still there


def test_a_file_without_the_keys_is_told_what_to_add(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("name: short\nmodel: {variant: b1, alpha: 1.2}\n", encoding="utf-8")
    for ask in (check_can_set, set_values):  # the first one before the search
        with pytest.raises(ConfigError, match=r"no model\.beta to replace; add to it: model\.beta: 1\.1"):
            ask(path, {"model.alpha": 1.3, "model.beta": 1.1})


def test_clock():
    assert [clock(seconds) for seconds in (0, 59.6, 3725)] == ["0:00", "1:00", "62:05"]
