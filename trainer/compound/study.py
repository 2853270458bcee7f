"""One training for each network and seed, in turn; what was done before a kill is not done again."""

import time
from collections.abc import Sequence
from itertools import product

import tensorflow as tf

from components.common.events import report_done, report_progress
from components.common.human_format import clock
from trainer.compound.candidates import TRAININGS_PER_PROCESS, Candidate, count_settled
from trainer.compound.forecast import Pace, Timing
from trainer.compound.trainings import give_up, outcome_of, why_failed
from trainer.fit.callbacks import TrainingFailed
from trainer.job import TrainingJob


def trainings_left(
    candidates: Sequence[Candidate], seeds: Sequence[int], timings: Sequence[Timing], folder: str
) -> tuple[list[tuple[int, Candidate, TrainingJob]], Pace]:
    """What a study has still to train, each with its number from 1, and the forecast corrected by what is done."""
    epochs = candidates[0].job.settings.epochs
    forecasts = {candidate.name: candidate.seconds(timings, epochs) for candidate in candidates}
    left, pace = [], Pace(len(seeds) * sum(forecasts.values()))
    for number, (seed, candidate) in enumerate(product(seeds, candidates), start=1):
        job, forecast = candidate.training(seed, epochs), forecasts[candidate.name]
        if not count_settled(pace, job, folder, forecast):
            left.append((number, candidate, job))
    return left, pace


def study_networks(
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    timings: Sequence[Timing],
    folder: str,
    deadline: float | None,
) -> bool:
    """Runs the trainings that are left, or as many as one process is to do; all networks with one seed, then the next.

    A training that fails (its loss is not finite, or the memory does not suffice) is reported and left out; the others
    say how their networks do.

    Args:
      candidates: the networks; each is trained as its job says.
      seeds: of the trainings.
      timings: that the forecast rests on.
      folder: where the outcomes are kept.
      deadline: no training begins that would probably end after this `time.monotonic()`; None: no limit.

    Returns:
      Whether the study is over.
    """
    left, pace = trainings_left(candidates, seeds, timings, folder)
    total = len(seeds) * len(candidates)
    for number, candidate, job in left[:TRAININGS_PER_PROCESS]:
        forecast = candidate.seconds(timings, job.settings.epochs)
        expected = pace.corrected(forecast)
        if deadline is not None and time.monotonic() + expected > deadline:
            report_done(f"the time is up: the next training would take about {clock(expected)}")
            return True
        place = f"{number}/{total} {candidate.name}, seed {job.seed}"
        report_progress(place)
        try:
            outcome = outcome_of(job, folder)
        except (TrainingFailed, MemoryError, tf.errors.ResourceExhaustedError) as error:
            if not isinstance(error, TrainingFailed):
                give_up(job, folder, f"out of memory; to try again, delete {folder}/{job.key()}.failed")
            report_done(f"{place}: left out, {why_failed(job, folder)}")
            pace.dropped(forecast)
            continue
        pace.finished(forecast, outcome.seconds)
        left_over = clock(pace.seconds_left)
        report_done(f"{place}: accuracy {outcome.val_accuracy:.4f}, loss {outcome.val_loss:.4f}; {left_over} left")
    return len(left) <= TRAININGS_PER_PROCESS
