"""What a training process is given, and what tells one training from another."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from components.common import files
from trainer.schema import class_names_of
from trainer.settings import (
    Hyperparameters,
    ModelSettings,
    TrainingConfig,
    TrainSettings,
    TransformSettings,
    TuneSettings,
)

# Where the checkpoints lie says nothing about what is trained.
NOT_AN_INPUT: Final = "checkpoint_root"


class FnArgs(Protocol):
    """What TFX hands to `run_fn` and `tuner_fn`: what we take of its `fn_args_utils.FnArgs`, with our types."""

    train_files: list[str]
    eval_files: list[str]
    schema_path: str
    transform_graph_path: str
    custom_config: TrainingConfig
    hyperparameters: Hyperparameters | None
    serving_model_dir: str | None
    model_run_dir: str | None
    working_dir: str


@dataclass(frozen=True)
class TrainingJob:
    """Plain values, since they cross a process boundary.

    `train_files` and `val_files` are patterns of gzipped TFRecords with transformed examples; `config` holds sections
    of pipeline.yaml as dicts (`model` and `train`; `transform` where it is not the default one), `image_size` in
    pixels, `seed`, `checkpoint_root`, a folder, if training may be resumed, and `known_precision` if the model is to
    say what it knows.
    """

    train_files: list[str]
    val_files: list[str]
    schema_path: str
    transform_graph_path: str
    config: TrainingConfig
    hyperparameters: Hyperparameters | None = None
    model_dir: str = ""
    log_dir: str = ""

    @classmethod
    def from_fn_args(cls, fn_args: FnArgs) -> "TrainingJob":
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

    @cached_property
    def model_settings(self) -> ModelSettings:
        """The `model` section."""
        return ModelSettings.model_validate(self.config["model"])

    @cached_property
    def transform_settings(self) -> TransformSettings:
        """The `transform` section."""
        return TransformSettings.model_validate(self.config.get("transform", {}))

    @cached_property
    def settings(self) -> TrainSettings:
        """The `train` section, what it leaves open filled with the tuner's choice."""
        return TrainSettings.model_validate(self.config["train"]).with_tuned(self.hyperparameters)

    @cached_property
    def tune_settings(self) -> TuneSettings:
        """The `tune` section, less what the `train` section decides."""
        train = TrainSettings.model_validate(self.config["train"])
        settings = TuneSettings.model_validate(self.config["tune"])
        if self.features_root is not None:
            settings = settings.of_head()
        return settings.without_decided(train)

    @cached_property
    def class_names(self) -> list[str]:
        """In label order."""
        return class_names_of(self.schema_path)

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        return self.config["seed"]

    @property
    def image_size(self) -> int:
        """Side of the network's input in pixels."""
        return self.config["image_size"]

    @property
    def features_root(self) -> str | None:
        """The folder with what the frozen network says of the images, a folder a split; None: it was not asked."""
        return self.config.get("features")

    @property
    def checkpoint_root(self) -> str | None:
        """The folder of the checkpoints of this and other trainings."""
        return self.config.get(NOT_AN_INPUT)

    def key(self) -> str:
        """A hash (32 hex digits) of all that decides the trained weights: files, classes, configuration, source.

        Of the files it takes names and sizes: TFX never changes an artifact, and gives a new one a new name.
        """
        names = sorted(files.expand([*self.train_files, *self.val_files]))
        inputs = {
            "files": [(name, files.status(name).size) for name in names],
            "classes": self.class_names,
            "config": {name: value for name, value in self.config.items() if name != NOT_AN_INPUT},
            "hyperparameters": self.hyperparameters,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
