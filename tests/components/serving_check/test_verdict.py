"""What is measured of a served model is held against the budgets, and fails closed."""

import math
from dataclasses import replace

import pytest

from components.serving_check.verdict import (
    Budgets,
    Measured,
    find_answer_problems,
    judge,
    largest_difference,
    summarise,
)

LATENCY = {"p50_batch_1": 10.0, "p99_batch_1": 25.0}


def measured(difference: float | None = 0.0) -> Measured:
    return Measured(images=8, difference=difference, latency_ms=LATENCY, size_mb=20.0, memory_mb=700.0)


def test_without_budgets_only_the_answers_count():
    assert judge(measured(), Budgets()) == []


@pytest.mark.parametrize(
    ("budgets", "named"),
    [
        (Budgets(latency_ms={"p99_batch_1": 20}), "max_latency_ms.p99_batch_1 is 25, above 20"),
        (Budgets(size_mb=19), "max_size_mb is 20, above 19"),
        (Budgets(memory_mb=600), "max_memory_mb is 700, above 600"),
    ],
)
def test_a_budget_that_is_exceeded_is_named_with_both_figures(budgets, named):
    (problem,) = judge(measured(), budgets)
    assert named in problem


@pytest.mark.parametrize("difference", [1e-4, math.inf, math.nan, None])
def test_other_answers_than_the_trainers_are_refused(difference):
    assert len(judge(measured(difference), Budgets(tolerance=1e-5))) == 1


@pytest.mark.parametrize(
    ("answers", "expected", "difference"),
    [
        ([[0.5, 0.5]], [[0.5, 0.4]], 0.1),
        ([[0.5, 0.5]], [[0.5, 0.3, 0.2]], math.inf),
        ([[0.5, 0.5]], [], math.inf),
        ([[math.nan, 0.5]], [[0.5, 0.5]], math.inf),
    ],
)
def test_the_difference_is_the_largest_one(answers, expected, difference):
    assert largest_difference(answers, expected) == pytest.approx(difference)


def test_median_and_99th_percentile():
    assert summarise({"1": [float(ms) for ms in range(1, 101)]}) == {"p50_batch_1": 50.5, "p99_batch_1": 99.0}
    assert summarise({"1": [3.0, 1.0, 2.0]}) == {"p50_batch_1": 2.0, "p99_batch_1": 3.0}


@pytest.mark.parametrize(
    ("probabilities", "class_id", "class_name", "problem"),
    [
        ([0.2, 0.8], 1, "b", None),
        ([0.2, 0.9], 1, "b", "invalid probabilities"),
        ([math.nan, 0.8], 1, "b", "invalid probabilities"),
        ([0.2, 0.8], 0, "a", "not the most probable"),
        ([0.2, 0.8], 1, "a", "unlike the model's own list"),
    ],
)
def test_an_answer_is_looked_at(probabilities, class_id, class_name, problem):
    answers = {"probabilities": [probabilities], "class_id": [class_id], "class_name": [class_name]}
    problems = find_answer_problems(answers, ["a", "b"])
    assert problems == [] if problem is None else problem in problems[0]


def test_a_photo_that_the_model_sees_otherwise_than_the_ingest_is_named():
    photos = {"a GIF": 0.0, "a CMYK JPEG": 0.9, "a turned photo": 80.0, "a 16-bit PNG": "no reader"}
    turned, deep = judge(replace(measured(), photos=photos), Budgets())
    assert "a turned photo differently from the ingest: 80.0 levels" in turned
    assert "cannot read a 16-bit PNG" in deep and "no reader" in deep
