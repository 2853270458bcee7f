"""The typed, frozen form of pipeline.yaml."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from pipeline.config.beam import check_form
from pipeline.config.data import DataSettings
from pipeline.config.engines import BEAM_SCHEMA, options_of
from pipeline.config.gates import EvaluateSettings, ServingSettings
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.config.schedule import ScheduleSettings
from trainer.recipes import recipe_of
from trainer.settings import (
    Fraction,
    ModelSettings,
    Settings,
    TrainSettings,
    TransformSettings,
    TuneSettings,
)


class ConfigError(ValueError):
    """pipeline.yaml, or a `--set`, cannot be used; the message is one line with the fix in it."""


class PushSettings(Settings):
    """Where blessed models go, one numbered folder a version, as TF Serving reads them."""

    path: str | None = None
    """Folder for pushed models; null is <runners.local.root>/<name>/served. gs:// and s3:// work too."""
    keep: Annotated[int, Field(ge=1)] = 5
    """Newest versions that are kept for `effnet rollback`; the served one is always among them."""


class ExportSettings(Settings):
    """Other formats of a pushed model."""

    formats: tuple[Literal["litert_float16", "litert_int8", "onnx"], ...] = ()
    """Formats to export as well: litert_float16, litert_int8, onnx."""
    representative_images: Annotated[int, Field(ge=1)] = 200
    """Training images that determine the value ranges of int8."""
    max_accuracy_drop: Fraction = 0.01
    """An export that loses more accuracy is reported but not kept."""


class LocalRunner(Settings):
    """Everything that a run on this machine writes lies under `root`."""

    root: str = "build"
    """Folder for everything that runs write; each pipeline has a folder of its name in it."""

    @field_validator("root")
    @classmethod
    def _on_a_disk(cls, root: str) -> str:
        if "://" in root:
            raise ValueError(
                f"got {root}, expected a folder: ML Metadata's database and the trainer's files need a disk, which a "
                "network volume may be; s3:// and gs:// are for data.path and push.path"
            )
        return root


class Runners(Settings):
    """Engines and their options."""

    local: LocalRunner = LocalRunner()
    """Runs on this machine."""
    kubeflow: KubeflowSettings = KubeflowSettings()
    """Runs on Kubeflow Pipelines and Vertex AI; see docs/kubeflow.md."""
    beam: Annotated[tuple[str, ...], WithJsonSchema(BEAM_SCHEMA)] = ()
    """Engine for every Beam step, such as {flink: {master: "flink:8081"}}, or Beam's own options; see docs/beam.md."""

    @field_validator("beam", mode="before")
    @classmethod
    def _engine_in_options(cls, beam: object, others: ValidationInfo) -> object:
        if not isinstance(beam, dict):
            return beam
        local, kubeflow = (others.data.get(name) for name in ("local", "kubeflow"))
        if local is None or kubeflow is None:  # whose own errors are reported
            return ()
        return options_of(beam, local.root, kubeflow.image, kubeflow.env)

    @field_validator("beam")
    @classmethod
    def _beam_can_start(cls, beam: tuple[str, ...]) -> tuple[str, ...]:
        check_form(beam)
        return beam


class PipelineConfig(Settings):
    """The whole of pipeline.yaml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Name of the pipeline; its artifacts, metadata and pushed models are in <runners.local.root>/<name>."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of splits, initial weights, augmentation and the tuner: the same seed and images give the same run."""
    data: DataSettings
    """The images."""
    model: ModelSettings = ModelSettings()
    """The network."""
    transform: TransformSettings = TransformSettings()
    """How images are resized and stored for training."""
    train: TrainSettings = TrainSettings()
    """How the network is trained."""
    tune: TuneSettings = TuneSettings()
    """The search for hyperparameters."""
    evaluate: EvaluateSettings
    """What a model must achieve on the eval images before it is pushed."""
    serving: ServingSettings = ServingSettings()
    """What the exported model must achieve on this machine's CPU before it is pushed."""
    push: PushSettings = PushSettings()
    """Where accepted models go."""
    export: ExportSettings = ExportSettings()
    """Other formats of a pushed model, each compared with it on the eval images; see docs/exports.md."""
    schedule: ScheduleSettings = ScheduleSettings()
    """Runs that start by themselves, one at a time: `effnet schedule start`; see docs/scheduling.md."""
    runners: Runners = Runners()
    """Where runs take place."""

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> "PipelineConfig":
        held_out = self.data.split.val + self.data.split.eval
        if held_out >= 0.9:
            raise ValueError(f"data.split keeps {held_out:.0%} of the images from training; stay below 90%")
        return self

    @model_validator(mode="after")
    def _fine_tuning_starts_from_weights(self) -> "PipelineConfig":
        if recipe_of(self.train).head_share and self.model.weights == "none":
            raise ValueError(
                "train.recipe finetune, or a train.head_share, keeps batch norm frozen and needs model.weights: "
                "imagenet, or the path of a file"
            )
        return self

    @model_validator(mode="after")
    def _only_fine_tuning_trains_a_head_first(self) -> "PipelineConfig":
        if recipe_of(self.train).head_share:
            return self
        if not self.train.epochs:
            raise ValueError("train.epochs must be 1 or more; 0, the classifier alone, is for train.recipe finetune")
        for name, value in (
            ("train.minutes", self.train.minutes),
            ("tune.head_learning_rate", self.tune.head_learning_rate),
        ):
            if value is not None:
                raise ValueError(f"{name} is for train.recipe finetune; set it to null")
        return self

    @model_validator(mode="after")
    def _only_what_lies_here_is_a_warm_start(self) -> "PipelineConfig":
        if self.schedule.warm_start and "://" in self.push_path:
            raise ValueError(f"schedule.warm_start needs a push.path on this machine's disk, got {self.push_path}")
        return self

    @model_validator(mode="after")
    def _a_tuned_magnitude_has_an_effect(self) -> "PipelineConfig":
        layers = recipe_of(self.train).augment.randaugment_layers
        if self.tune.randaugment_magnitude is not None and not layers:
            raise ValueError("tune.randaugment_magnitude needs train.augment.randaugment_layers of 1 or more")
        return self

    @property
    def run_root(self) -> Path:
        """The folder of this pipeline's artifacts, metadata, logs and, by default, pushed models."""
        return Path(self.runners.local.root) / self.name

    @property
    def metadata_path(self) -> Path:
        """The SQLite file of the runs' ML metadata."""
        return self.run_root / "metadata.sqlite"

    @property
    def tuning_root(self) -> Path:
        """The tuner's searches, and their history."""
        return self.run_root / "tuning"

    @property
    def push_path(self) -> str:
        """The folder that TF Serving watches."""
        return self.push.path or str(self.run_root / "served")
