"""One training for each network and seed, in turn; what was done before a kill is not done again."""

import time
from collections.abc import Sequence
from itertools import product

from trainer.callbacks import TrainingDiverged
from trainer.contenders import TRAININGS_PER_PROCESS, Contender, is_settled, outcome_of
from trainer.forecast import Pace, Timing, clock, training_seconds
from trainer.progress import DONE, PROGRESS


def study_networks(
    contenders: Sequence[Contender],
    seeds: Sequence[int],
    timings: Sequence[Timing],
    folder: str,
    deadline: float | None,
) -> bool:
    """Runs the trainings that are left, or as many as one process is to do; all networks with one seed, then the next.

    A training whose loss is not finite is told of and left out; the others say how their networks do.

    Args:
      contenders: the networks; each is trained as its job says.
      seeds: of the trainings.
      timings: that the forecast rests on.
      folder: where the outcomes are kept.
      deadline: no training begins that would probably end after this `time.time()`; None: no limit.

    Returns:
      Whether the study is over.
    """
    order = list(product(seeds, contenders))
    left = []
    for number, (seed, contender) in enumerate(order, start=1):
        if not is_settled(contender.training(seed, _epochs(contender)), folder):
            left.append((number, seed, contender))
    forecasts = {
        contender.name: training_seconds(timings, contender.macs, _epochs(contender)) for contender in contenders
    }
    pace = Pace(sum(forecasts[contender.name] for _, _, contender in left))
    if len(left) < len(order):
        DONE.info("%d of %d trainings were done by an earlier run", len(order) - len(left), len(order))
    for number, seed, contender in left[:TRAININGS_PER_PROCESS]:
        forecast = forecasts[contender.name]
        if deadline is not None and time.time() + forecast > deadline:
            DONE.info("the time is up: the next training would take about %s", clock(forecast))
            return True
        place = f"{number}/{len(order)} {contender.name}, seed {seed}"
        PROGRESS.info("%s", place)
        try:
            outcome = outcome_of(contender.training(seed, _epochs(contender)), folder)
        except TrainingDiverged as error:
            DONE.info("%s: left out, %s", place, error)
            continue
        pace.finished(forecast)
        DONE.info(
            "%s: accuracy %.4f, loss %.4f; %s left",
            *(place, outcome.val_accuracy, outcome.val_loss, clock(pace.seconds_left())),
        )
    return len(left) <= TRAININGS_PER_PROCESS


def _epochs(contender: Contender) -> int:
    return contender.job.settings.epochs
