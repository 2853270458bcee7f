"""The Trainer component's module: `run_fn` trains EfficientNet on transformed images and exports it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.callbacks import ProgressLogger
from trainer.efficientnet import build_efficientnet
from trainer.export import export_model
from trainer.fresh_process import call_in_fresh_process
from trainer.input_data import count_examples, image_batches
from trainer.progress import PROGRESS
from trainer.recipe import batch_norm_momentum, compile_model
from trainer.scaling import VARIANTS
from trainer.schema import class_names_of
from trainer.settings import ModelSettings, TrainSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

# Stochastic depth of the last block when neither the user nor the tuner says otherwise (arXiv 1905.11946, section 5.2).
DEFAULT_DROP_CONNECT_RATE = 0.2


class TrainingDataError(ValueError):
    """The transformed examples cannot be trained on."""


@dataclass(frozen=True)
class TrainingJob:
    """What a training process is given: plain values, since it crosses a process boundary.

    `train_files` and `val_files` are patterns of gzipped TFRecords with transformed examples; `config` holds sections
    of pipeline.yaml as dicts, `image_size` in pixels and `seed`.
    """

    train_files: list[str]
    val_files: list[str]
    schema_path: str
    transform_graph_path: str
    config: dict[str, Any]
    hyperparameters: dict[str, Any] | None = None
    model_dir: str = ""
    log_dir: str = ""

    @classmethod
    def from_fn_args(cls, fn_args: "FnArgs") -> "TrainingJob":
        """Takes over what TFX hands to `run_fn` and `tuner_fn`; its eval split is our val split."""
        return cls(
            train_files=list(fn_args.train_files),
            val_files=list(fn_args.eval_files),
            schema_path=fn_args.schema_path,
            transform_graph_path=fn_args.transform_graph_path,
            config=fn_args.custom_config,
            hyperparameters=fn_args.hyperparameters,
            model_dir=fn_args.serving_model_dir or "",
            log_dir=fn_args.model_run_dir or "",
        )


def run_fn(fn_args: "FnArgs") -> None:
    """TFX's entry point: trains in a process of its own, see `train`."""
    call_in_fresh_process(train, TrainingJob.from_fn_args(fn_args))


def train(job: TrainingJob) -> None:
    """Trains on the train split, watches the val split, exports to `job.model_dir`.

    Raises:
      TrainingDataError: a split is empty.
      TrainingDiverged: the loss is not finite.
    """
    model_settings = ModelSettings.model_validate(job.config["model"])
    settings = TrainSettings.model_validate(job.config["train"])
    seed, image_size = job.config["seed"], job.config["image_size"]
    class_names = class_names_of(job.schema_path)
    rates = choose_rates(model_settings, settings, job.hyperparameters)

    keras.utils.set_random_seed(seed)
    train_batches, steps_per_epoch = split_batches(
        job.train_files, "train", settings.batch_size, image_size, len(class_names), seed, settings.horizontal_flip
    )
    val_batches, _ = split_batches(job.val_files, "val", settings.batch_size, image_size, len(class_names), seed)
    total_steps = steps_per_epoch * settings.epochs
    model = build_efficientnet(
        model_settings.variant,
        len(class_names),
        image_size=image_size,
        batch_norm_momentum=batch_norm_momentum(total_steps),
        seed=seed,
        dropout_rate=rates["dropout_rate"],
        drop_connect_rate=rates["drop_connect_rate"],
    )
    compile_model(model, settings, total_steps)
    history = model.fit(
        train_batches,
        validation_data=val_batches,
        epochs=settings.epochs,
        callbacks=[
            ProgressLogger("train", total_steps, settings.batch_size),
            keras.callbacks.TensorBoard(job.log_dir),
            keras.callbacks.CSVLogger(str(Path(job.log_dir) / "history.csv")),
        ],
        verbose=0,
    ).history

    PROGRESS.info("train: exporting the model")
    info = {
        "variant": model_settings.variant,
        "image_size": image_size,
        "epochs": settings.epochs,
        "seed": seed,
        **rates,
        "val_accuracy": round(history["val_accuracy"][-1], 4),
    }
    transform_output = tft.TFTransformOutput(job.transform_graph_path)
    export_model(model, transform_output, class_names, job.model_dir, info)


def choose_rates(
    model_settings: ModelSettings, settings: TrainSettings, hyperparameters: dict | None
) -> dict[str, float]:
    """`dropout_rate` and `drop_connect_rate`: the user's, else the tuner's, else the published ones."""
    tuned = (hyperparameters or {}).get("values", {})
    published = {
        "dropout_rate": VARIANTS[model_settings.variant].dropout_rate,
        "drop_connect_rate": DEFAULT_DROP_CONNECT_RATE,
    }
    chosen = {}
    for name, default in published.items():
        asked = getattr(settings, name)
        chosen[name] = float(asked if asked is not None else tuned.get(name, default))
    return chosen


def split_batches(
    file_patterns: list[str],
    split: str,
    batch_size: int,
    image_size: int,
    num_classes: int,
    seed: int,
    horizontal_flip: bool = False,
    fraction: float = 1.0,
) -> tuple[tf.data.Dataset, int]:
    """The batches of one split, or of a fraction of it, and their number; `train` is shuffled and augmented.

    Raises:
      TrainingDataError: the split is empty.
    """
    num_examples = count_examples(file_patterns)
    if num_examples == 0:
        raise TrainingDataError(f"the {split} split is empty; add images or change data.split")
    training = split == "train"
    batches = image_batches(
        file_patterns,
        image_size=image_size,
        num_classes=num_classes,
        num_examples=num_examples,
        batch_size=batch_size,
        training=training,
        seed=seed,
        horizontal_flip=horizontal_flip,
        fraction=fraction,
    )
    return batches, int(batches.cardinality())
