"""The card that lies beside a pushed model."""

from components.atomic_pusher.model_card import make_card
from components.gated_evaluator.verdict import GateVerdict
from components.serving_check.report import ServingReport
from components.serving_check.verdict import Measured

VERDICT = GateVerdict(
    blessed=True,
    accuracy=0.95,
    metrics={"sparse_categorical_accuracy": 0.95},
    recall={"da|isy": 0.9, "rose": 1.0},
    confused=[("da|isy", "rose", 5)],
    baseline_version="17",
    baseline_accuracy=0.93,
    problems=[],
    notes=["fewer than 10 eval images, recall not judged: tulip (3)"],
)
INFO = {"classes": ["da|isy", "rose"], "variant": "b3", "image_size": 300, "epochs": 6}


def test_the_card_tells_what_it_is_how_good_and_what_it_costs():
    measured = Measured(images=8, difference=0.0, latency_ms={"p99_batch_1": 12.34}, size_mb=20.0, memory_mb=700.0)
    card = make_card(INFO, VERDICT, ServingReport(measured, []), "/artifacts/7")
    for told in (
        "EfficientNet-B3, 2 classes",
        "300 pixels",
        "| epochs | 6 |",
        "version served before, 17",
        "tulip (3)",
    ):
        assert told in card
    assert "| p99 batch 1 (ms) | 12.3 |" in card
    assert r"| da\|isy | rose | 5 |" in card


def test_a_class_that_nothing_judged_is_named():
    card = make_card({**INFO, "classes": ["da|isy", "rose", "tulip"]}, VERDICT, None, "/artifacts/7")
    assert "3 classes" in card
    assert "| tulip | no eval images |" in card


def test_a_model_of_another_program_has_a_card_as_well():
    assert "/artifacts/7" in make_card({}, VERDICT, None, "/artifacts/7")
