"""Networks that are trained alike and compared: one training for each seed, kept when it is done.

<folder>/<key>.json               an outcome, named after all that decides it: network, data, recipe, seed, code
<folder>/<key>.failed             why there is none: the loss was not finite, or the memory did not suffice
<folder>/checkpoints/<key>/...    of a training under way, which goes on from there after a kill
<folder>/logs/<key>/              TensorBoard, and history.csv
"""

import gc
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import keras
import tensorflow as tf

from components.common.files import write_text
from trainer.compound.backbone_table import BACKBONES
from trainer.compound.backbones import BackboneSetup, built_macs
from trainer.compound.constant_prediction import constant_loss
from trainer.compound.forecast import Pace, Timing, training_seconds
from trainer.compound.latency import device_name, measure_latency
from trainer.fit.callbacks import StepTimer, TrainingDiverged, TrainingFailed
from trainer.fit.context import TrainingContext
from trainer.fit.loop import Training
from trainer.fit.phases import phases_of
from trainer.input_data import steps_per_epoch, train_batches
from trainer.job import TrainingJob
from trainer.recipes import choose_rates, recipe_of

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


@dataclass(frozen=True)
class TrainingResult:
    """What came of one training.

    Args:
      val_accuracy: of the val split, which has the same images at every resolution.
      val_loss: of the same.
      parameters: of the network, as Keras counts.
      macs: multiply-adds of one image.
      latency_ms: for one image, on the device that trained it; None where it was not asked for.
      seconds: that the training took, from its last resumption on: what it had done before a kill is not in it.
      images: trained on.
      val_images: in the val split.
      largest_share: of the val split that its largest class has, which is the accuracy of who always answers that one.
      constant_loss: on the val split of who answers every image with the shares of its classes.
      device: that trained it.
    """

    val_accuracy: float
    val_loss: float
    parameters: int
    macs: int
    latency_ms: float | None
    seconds: float
    images: int
    val_images: int
    largest_share: float
    constant_loss: float
    device: str


def read_outcome(job: TrainingJob, folder: str) -> TrainingResult | None:
    """The outcome of a training that is done, or None."""
    path = f"{folder}/{job.key()}.json"
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        return TrainingResult(**json.loads(file.read()))


def why_failed(job: TrainingJob, folder: str) -> str | None:
    """Why a training was given up; None where it was not."""
    path = f"{folder}/{job.key()}.failed"
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        return file.read()


def count_settled(pace: Pace, job: TrainingJob, folder: str, forecast: float) -> bool:
    """Tells a pace of a training that is done, or was given up; returns whether it is either."""
    if outcome := read_outcome(job, folder):
        pace.finished(forecast, outcome.seconds)
    elif why_failed(job, folder):
        pace.dropped(forecast)
    else:
        return False
    return True


def give_up(job: TrainingJob, folder: str, reason: str) -> None:
    """Notes why a training has no outcome, so that it is not tried again, and forgets its network."""
    write_text(f"{folder}/{job.key()}.failed", reason)
    _forget_networks()


def outcome_of(job: TrainingJob, folder: str) -> TrainingResult:
    """The outcome that an earlier call has kept, else of a training by the Trainer's own code.

    Raises:
      TrainingDataError: a split is empty.
      TrainingFailed: the loss is not finite, or it was given up earlier.
    """
    if kept := read_outcome(job, folder):
        return kept
    if reason := why_failed(job, folder):
        raise TrainingFailed(reason)
    key = job.key()
    job = replace(
        job,
        log_dir=job.log_dir or f"{folder}/logs/{key}",
        config={**job.config, "checkpoint_root": f"{folder}/checkpoints"},
    )
    started = time.monotonic()
    training = Training(job, _rates(job), _setup(job))
    try:
        model = training.run()
    except TrainingDiverged as error:
        give_up(job, folder, str(error))
        raise
    counts = training.setup.val_split.class_counts
    outcome = TrainingResult(
        val_accuracy=float(training.result["val_accuracy"]),
        val_loss=float(training.result["val_loss"]),
        parameters=model.count_params(),
        macs=built_macs(model),
        latency_ms=measure_latency(model) if job.config["latency"] else None,
        seconds=round(time.monotonic() - started, 1),
        images=training.setup.train_split.num_examples,
        val_images=training.setup.val_split.num_examples,
        largest_share=max(counts) / sum(counts),
        constant_loss=constant_loss(counts, recipe_of(job.settings).label_smoothing),
        device=device_name(),
    )
    write_text(f"{folder}/{key}.json", json.dumps(asdict(outcome)))
    training.finish()
    del training, model
    _forget_networks()
    return outcome


def time_candidates(candidates: Sequence[Candidate]) -> list[Timing]:
    """Times a few steps of the cheapest, the costliest and the deepest network, between which the others lie."""
    by_macs = sorted(candidates, key=lambda candidate: candidate.macs)
    deepest = max(by_macs, key=lambda candidate: candidate.layers)
    chosen = {candidate.name: candidate for candidate in (by_macs[0], deepest, by_macs[-1])}
    return [_time(candidate) for candidate in chosen.values()]


def _time(candidate: Candidate) -> Timing:
    job = candidate.job
    started = time.monotonic()
    setup = _setup(job)
    batch_size = setup.batch_size()
    steps = steps_per_epoch(setup.train_split, batch_size)
    model = setup.build(steps * job.settings.epochs, **_rates(job))
    setup.compile(model, phases_of(recipe_of(job.settings), job.settings.epochs)[-1], batch_size)
    batches = train_batches(
        setup.train_split,
        batch_size=batch_size,
        epochs=TIMED_STEPS,
        seed=job.seed,
        augment=recipe_of(job.settings).augment,
    )
    building, timer = time.monotonic() - started, StepTimer()
    model.fit(batches, steps_per_epoch=TIMED_STEPS, epochs=1, callbacks=[timer], shuffle=False, verbose=0)
    val_steps = -(-setup.val_split.num_examples // batch_size)
    timing = Timing(
        layers=candidate.layers,
        macs=candidate.macs,
        # Validation is traced as well, without a backward pass.
        start_seconds=building + 1.5 * timer.first_seconds,
        # A step of validation has no backward pass, which is two thirds of a training step.
        epoch_seconds=timer.seconds_per_step * (steps + val_steps / 3),
    )
    del model
    _forget_networks()
    return timing


def _setup(job: TrainingJob) -> TrainingContext:
    kind = BackboneSetup if job.config["backbone"] in BACKBONES else TrainingContext
    return kind(job, fraction=job.config["data_fraction"])


def _rates(job: TrainingJob) -> dict[str, float]:
    return choose_rates(job.model_settings, job.settings, None)


def _forget_networks() -> None:
    """Gives back the memory of a network that was trained, before the next one is built in the same process."""
    keras.backend.clear_session()
    gc.collect()
