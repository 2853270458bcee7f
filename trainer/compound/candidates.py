"""Networks that are trained alike and compared, and how long that will take; trainings.py trains them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from trainer.compound.forecast import Pace, Timing, training_seconds
from trainer.compound.trainings import forget_networks, rates_of, read_outcome, setup_of, why_failed
from trainer.fit.callbacks import StepTimer
from trainer.fit.phases import phases_of
from trainer.input_data import eval_steps, steps_per_epoch, train_batches
from trainer.job import TrainingJob

# A traced network with gradients of its own stays in TensorFlow's gradient registry (tf.custom_gradient registers each
# under a new name) for as long as the process lives: some 100 MB. So trainings move to a new process now and then.
TRAININGS_PER_PROCESS = 8
TIMED_STEPS = 6  # the first of which traces the network


@dataclass(frozen=True)
class Candidate:
    """A network to train.

    Args:
      name: what it is called in tables; no two are called the same.
      group: what it belongs to: a way of scaling, a family of networks.
      job: trains it, for other seeds and numbers of epochs as well.
      layers: how many it has; with the next one, for forecasts.
      macs: multiply-adds of one image; of other networks than EfficientNets only about.
      details: more columns for the table.
    """

    name: str
    group: str
    job: TrainingJob
    layers: int
    macs: int
    details: Mapping[str, float] = field(default_factory=dict)

    def training(self, seed: int, epochs: int) -> TrainingJob:
        """The job with a seed and a number of epochs."""
        train = {**self.job.config["train"], "epochs": epochs}
        return replace(self.job, config={**self.job.config, "train": train, "seed": seed})

    def seconds(self, timings: Sequence[Timing], epochs: int) -> float:
        """Forecast of one training."""
        return training_seconds(timings, self.layers, self.macs, epochs)


def count_settled(pace: Pace, job: TrainingJob, folder: str, forecast: float) -> bool:
    """Tells a pace of a training that is done, or was given up; returns whether it is either."""
    if outcome := read_outcome(job, folder):
        pace.finished(forecast, outcome.seconds)
    elif why_failed(job, folder):
        pace.dropped(forecast)
    else:
        return False
    return True


def time_candidates(candidates: Sequence[Candidate]) -> list[Timing]:
    """Times a few steps of the cheapest, the costliest and the deepest network, between which the others lie."""
    by_macs = sorted(candidates, key=lambda candidate: candidate.macs)
    deepest = max(by_macs, key=lambda candidate: candidate.layers)
    chosen = {candidate.name: candidate for candidate in (by_macs[0], deepest, by_macs[-1])}
    return [_time(candidate) for candidate in chosen.values()]


def _time(candidate: Candidate) -> Timing:
    job = candidate.job
    started = time.monotonic()
    setup = setup_of(job)
    batch_size = setup.batch_size()
    steps = steps_per_epoch(setup.train_split, batch_size)
    model = setup.build(steps * job.settings.epochs, **rates_of(job))
    setup.compile(model, phases_of(setup.recipe, job.settings.epochs)[-1], batch_size)
    batches = train_batches(
        setup.train_split,
        batch_size=batch_size,
        epochs=TIMED_STEPS,
        seed=job.seed,
        augment=setup.recipe.augment,
    )
    building, timer = time.monotonic() - started, StepTimer()
    model.fit(batches, steps_per_epoch=TIMED_STEPS, epochs=1, callbacks=[timer], shuffle=False, verbose=0)
    timing = Timing(
        layers=candidate.layers,
        macs=candidate.macs,
        # Validation is traced as well, without a backward pass.
        start_seconds=building + 1.5 * timer.first_seconds,
        epoch_seconds=timer.epoch_seconds(steps, eval_steps(setup.val_split, batch_size)),
    )
    del model
    forget_networks()
    return timing
