"""Trainings of networks that are compared: one for each seed, kept when it is done.

<folder>/<key>.json               an outcome, named after all that decides it: network, data, recipe, seed, code
<folder>/<key>.failed             why there is none: the loss was not finite, or the memory did not suffice
<folder>/checkpoints/<key>/...    of a training under way, which goes on from there after a kill
<folder>/logs/<key>/              TensorBoard, and history.csv

What this module imports decides the outcomes: those of other code are not taken for it.
"""

import gc
import json
import time
from dataclasses import asdict, replace

import keras

from components.common import files
from trainer.compound.backbone_table import BACKBONES
from trainer.compound.backbones import BackboneSetup, built_macs
from trainer.compound.constant_prediction import constant_loss
from trainer.compound.latency import device_name, measure_latency
from trainer.compound.outcome import TrainingResult
from trainer.fit.callbacks import TrainingDiverged, TrainingFailed
from trainer.fit.context import TrainingContext
from trainer.fit.loop import Training
from trainer.job import TrainingJob
from trainer.recipes import choose_rates


def read_outcome(job: TrainingJob, folder: str) -> TrainingResult | None:
    """The outcome of a training that is done, or None."""
    path = f"{folder}/{job.key()}.json"
    return TrainingResult(**json.loads(files.read_bytes(path))) if files.exists(path) else None


def why_failed(job: TrainingJob, folder: str) -> str | None:
    """Why a training was given up; None where it was not."""
    path = f"{folder}/{job.key()}.failed"
    return files.read_bytes(path).decode() if files.exists(path) else None


def give_up(job: TrainingJob, folder: str, reason: str) -> None:
    """Notes why a training has no outcome, so that it is not tried again, and forgets its network."""
    files.write_text(f"{folder}/{job.key()}.failed", reason)
    forget_networks()


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
    training = Training(job, rates_of(job), setup_of(job))
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
        constant_loss=constant_loss(counts, training.setup.recipe.label_smoothing),
        device=device_name(),
    )
    files.write_text(f"{folder}/{key}.json", json.dumps(asdict(outcome)))
    training.finish()
    del training, model
    forget_networks()
    return outcome


def setup_of(job: TrainingJob) -> TrainingContext:
    """How the network that a job names is built and compiled, on the share of the images that it asks for."""
    kind = BackboneSetup if job.config["backbone"] in BACKBONES else TrainingContext
    return kind(job, fraction=job.config["data_fraction"])


def rates_of(job: TrainingJob) -> dict[str, float]:
    """Dropout and drop-connect, without a tuner."""
    return choose_rates(job.model_settings, job.settings, None)


def forget_networks() -> None:
    """Gives back the memory of a network that was trained, before the next one is built in the same process."""
    keras.backend.clear_session()
    gc.collect()
