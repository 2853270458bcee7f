"""The Trainer component's module for one training of a study: it leaves what came of it, and no model."""

import json
from dataclasses import asdict

import tensorflow as tf

from components.common import files
from components.common.events import report_progress
from trainer.compound.outcome import OUTCOME_FILE
from trainer.compound.trainings import outcome_of
from trainer.fit.callbacks import TrainingFailed
from trainer.fit.process import call_in_fresh_process
from trainer.job import FnArgs, TrainingJob


def run_fn(fn_args: FnArgs) -> None:
    """TFX's entry point: trains in a process of its own, see `train`."""
    call_in_fresh_process(train, TrainingJob.from_fn_args(fn_args))


def train(job: TrainingJob) -> None:
    """Leaves the outcome of a training beside its logs, null where its loss is not finite.

    The `config` is that of a `Candidate`; in `checkpoint_root` a training that was killed goes on.

    Raises:
      TrainingDataError: a split is empty.
    """
    folder = job.config["checkpoint_root"]
    outcome = None
    try:
        outcome = outcome_of(job, folder)
    except TrainingFailed as error:  # the others say how their networks do
        report_progress(f"train: left out, {error}")
    # TFX's Trainer asks for this folder; the networks themselves are not kept.
    tf.io.gfile.makedirs(job.model_dir)
    files.write_text(f"{job.log_dir}/{OUTCOME_FILE}", json.dumps(outcome and asdict(outcome)))
