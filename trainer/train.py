"""The Trainer component's module: `run_fn` trains EfficientNet on transformed images and exports it."""

import dataclasses
from typing import Final

import keras
import tensorflow_transform as tft

from components.common.events import report_progress
from trainer.calibration import Calibration, ask_logits, calibrate
from trainer.efficientnet import build_efficientnet
from trainer.export import export_model, sample_images
from trainer.fit.loop import Training
from trainer.fit.process import call_in_fresh_process
from trainer.input_data import eval_batches, open_split
from trainer.job import FnArgs, TrainingJob
from trainer.recipes import choose_rates

KNOWN_PRECISION: Final = "known_precision"  # of the job's configuration and of the model's note
CALIBRATION_BATCH = 32


def run_fn(fn_args: FnArgs) -> None:
    """TFX's entry point: trains in a process of its own, see `train`."""
    call_in_fresh_process(train, TrainingJob.from_fn_args(fn_args))


def train(job: TrainingJob) -> None:
    """Trains on the train split, watches the val split, exports to `job.model_dir`.

    Raises:
      TrainingDataError: a split is empty.
      TrainingDiverged: the loss is not finite.
      MemoryError: `batch_size: auto`, and the GPU is too small.
    """
    rates = choose_rates(job.model_settings, job.settings, job.hyperparameters)
    training = Training(job, rates)
    model = training.run()
    single = single_float32(model, job)
    calibration = calibrate_on_val(single, job)
    report_progress("train: exporting the model")
    info = {
        "variant": job.model_settings.chosen_variant.name,
        **job.model_settings.formula,
        "image_size": job.image_size,
        "recipe": job.settings.recipe,
        "epochs": job.settings.epochs,
        "batch_size": training.progress.batch_size,
        "seed": job.seed,
        **rates,
        "val_accuracy": round(training.result["val_accuracy"], 4),
        **(noted(calibration, job) if calibration else {}),
        **{f"transform.{name}": value for name, value in job.config.get("transform", {}).items()},
        "source": job.config.get("source", ""),
        "trained_on": job.train_files,
    }
    transform_output = tft.TFTransformOutput(job.transform_graph_path)
    settings = job.transform_settings
    images = sample_images(job.val_files, encoded=settings.format != "raw" or not settings.materialize)
    export_model(single, transform_output, job.class_names, settings, job.model_dir, info, images, calibration)
    training.finish()


def calibrate_on_val(model: keras.Model, job: TrainingJob) -> Calibration | None:
    """Measures how sure the network is on the val split; None where `serving.known_precision` is."""
    precision = job.config.get(KNOWN_PRECISION)
    if precision is None:
        return None
    report_progress("train: measuring how sure the model is")
    split = open_split(job.val_files, job.image_size, len(job.class_names), transform=job.transform_settings)
    return calibrate(*ask_logits(model, eval_batches(split, CALIBRATION_BATCH)), precision)


def noted(calibration: Calibration, job: TrainingJob) -> dict[str, object]:
    """What the model's note says of its calibration."""
    return {
        KNOWN_PRECISION: job.config[KNOWN_PRECISION],
        **{
            f"known.{name}": None if value is None else round(value, 6)
            for name, value in dataclasses.asdict(calibration).items()
        },
    }


def single_float32(model: keras.Model, job: TrainingJob) -> keras.Model:
    """The same network on one device in full precision, which serves on any machine."""
    if model.distribute_strategy.num_replicas_in_sync == 1 and model.dtype_policy.name == "float32":
        return model
    keras.config.set_dtype_policy("float32")
    single = build_efficientnet(job.model_settings.chosen_variant, len(job.class_names), image_size=job.image_size)
    single.set_weights(model.get_weights())
    return single
