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
from trainer.input_data import Split, eval_batches
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
    precision = job.config.get(KNOWN_PRECISION)
    calibration = None if precision is None else calibrate_on(training.setup.val_split, single, precision)
    report_progress("train: exporting the model")
    info = {
        "variant": job.model_settings.chosen_variant.name,
        **job.model_settings.formula,
        "stem_stride": job.model_settings.stem_stride,
        "image_size": job.image_size,
        "recipe": job.settings.recipe,
        "epochs": training.epochs,
        "batch_size": training.progress.batch_size,
        "seed": job.seed,
        **rates,
        "val_accuracy": round(training.result["val_accuracy"], 4),
        **({} if calibration is None else {KNOWN_PRECISION: precision, **noted(calibration)}),
        **{f"transform.{name}": value for name, value in job.config.get("transform", {}).items()},
        "source": job.config.get("source", ""),
        "trained_on": job.train_files,
    }
    transform_output = tft.TFTransformOutput(job.transform_graph_path)
    settings = job.transform_settings
    images = sample_images(job.val_files, encoded=settings.format != "raw" or not settings.materialize)
    export_model(single, transform_output, job.class_names, settings, job.model_dir, info, images, calibration)
    training.finish()


def calibrate_on(split: Split, model: keras.Model, precision: float) -> Calibration:
    """Measures on a split that the network was not trained on how its confidence compares with its accuracy.

    Args:
      split: the images, at least one.
      model: from images to logits.
      precision: `serving.known_precision`, 0 to 1.

    Raises:
      ValueError: the split is empty.
    """
    report_progress("train: calibrating the model on the val split")
    return calibrate(*ask_logits(model, eval_batches(split, CALIBRATION_BATCH)), precision)


def noted(calibration: Calibration) -> dict[str, object]:
    """The calibration as entries of the model's note."""
    return {
        f"known.{name}": None if value is None else round(value, 6)
        for name, value in dataclasses.asdict(calibration).items()
    }


def single_float32(model: keras.Model, job: TrainingJob) -> keras.Model:
    """The same network on one device in full precision, which serves on any machine."""
    if model.distribute_strategy.num_replicas_in_sync == 1 and model.dtype_policy.name == "float32":
        return model
    keras.config.set_dtype_policy("float32")
    single = build_efficientnet(job.model_settings.chosen_variant, len(job.class_names), image_size=job.image_size)
    single.set_weights(model.get_weights())
    return single
