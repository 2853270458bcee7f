"""Sends images to a SavedModel; compares its answers with the trainer's, and its time and memory with the budgets."""

from collections.abc import Sequence

from components.common import files
from components.common.errors import GateError
from components.common.model_info import read_model_info
from components.serving_check.expected import ExpectedAnswers, read_expected
from components.serving_check.photos import photo_pairs
from components.serving_check.probe import probe
from components.serving_check.report import ServingReport
from components.serving_check.verdict import (
    BATCH_SIZES,
    Budgets,
    Measured,
    find_answer_problems,
    judge,
    largest_difference,
    summarise,
)

SECONDS = 20.0  # for each batch size, however slow the model is


def check(saved_model: str, raw_images: Sequence[bytes], budgets: Budgets, requests: int) -> ServingReport:
    """Sends the trainer's images, raw ones and odd photos to a model in a fresh process.

    Args:
        saved_model: the model's folder, local or remote.
        raw_images: encoded bytes as clients send them.
        budgets: what is allowed.
        requests: most for each batch size.
    """
    if not raw_images:
        return ServingReport(None, ["there are no images to send to the model"])
    with files.brought(saved_model) as local:
        expected = read_expected(local)
        pairs = photo_pairs()
        try:
            seen = probe(
                local,
                # The trainer's come first, to be told from the others.
                [*(expected.images if expected else ()), *raw_images],
                BATCH_SIZES,
                requests,
                SECONDS,
                [(pair.sent, pair.ingested) for pair in pairs],
            )
        except GateError as error:
            return ServingReport(None, [str(error)])
        measured = Measured(
            images=len(raw_images),
            difference=_difference(seen["answers"]["probabilities"], expected),
            latency_ms=summarise(seen["latency_ms"]),
            size_mb=sum(files.sizes(local).values()) / 1e6,
            memory_mb=seen["memory_mb"],
            photos={pair.kind: difference for pair, difference in zip(pairs, seen["pairs"], strict=True)},
        )
        problems = find_answer_problems(seen["answers"], read_model_info(local).get("classes"))
    return ServingReport(
        measured, [f"the exported model returned {problem}" for problem in problems] + judge(measured, budgets)
    )


def _difference(answers: list[list[float]], expected: ExpectedAnswers | None) -> float | None:
    return largest_difference(answers[: len(expected.images)], expected.probabilities) if expected else None
