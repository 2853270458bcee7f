"""The typed, frozen form of pipeline.yaml."""

import datetime
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from components.image_example_gen.sources.settings import ReadingSettings
from pipeline.config.beam import check_form
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


class SplitFractions(Settings):
    """Fractions of the images that are kept out of training; cut by content, so stable when images are added."""

    val: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    eval: Annotated[float, Field(gt=0, lt=0.5)] = 0.1


class Span(Settings):
    """Which folders stand for {SPAN} in data.path."""

    last: str = "latest"
    window: Annotated[int, Field(ge=1)] = 1
    allow_missing: bool = False

    @field_validator("last", mode="before")
    @classmethod
    def _as_written(cls, last: object) -> object:
        return str(last) if isinstance(last, int | datetime.date) else last


class Drift(Settings):
    """Largest divergence (Jensen-Shannon, 0 to 1) from the images of the served model, by feature."""

    label: Fraction = 0.1
    brightness: Fraction = 0.1
    size: Fraction = 0.1
    aspect: Fraction = 0.1
    format: Fraction = 0.2


class RecordFeatures(Settings):
    """Names of the features of tf.Examples; None: the usual ones."""

    image: str | None = None
    label: str | None = None
    split: str | None = None
    group: str | None = None


class DataSettings(Settings):
    """Where the images are and what is asked of them."""

    path: str
    layout: Literal["auto", "classes", "splits", "labels", "shards"] = "auto"
    image_column: str | None = None
    label_column: str | None = None
    group_pattern: str | None = None
    classes: tuple[str, ...] = ()
    split: SplitFractions = SplitFractions()
    max_bad_fraction: Fraction = 0.05
    min_images_per_class: Annotated[int, Field(ge=1)] = 10
    max_class_imbalance: Annotated[float, Field(ge=1)] = 100.0
    max_pixels: Annotated[int, Field(ge=1024)] = 50_000_000
    near_duplicates: bool = True
    features: RecordFeatures = RecordFeatures()
    span: Span = Span()
    drift: Drift | None = Drift()

    @field_validator("group_pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern or "").groups
        except re.error as error:
            raise ValueError(f"is no regular expression ({error}), expected one such as '(patient\\d+)_'") from error
        if groups > 1:
            raise ValueError(f"has {groups} groups in brackets, expected one or none: write (?:...) for the others")
        return pattern

    @property
    def reading(self) -> ReadingSettings:
        """How the images are to be read, as the ingest takes it."""
        return ReadingSettings(self.layout, self.image_column or "", self.label_column or "", self.group_pattern or "")


class EvaluateSettings(Settings):
    """Thresholds of the gate. The first two are required: without a threshold nothing could be refused."""

    min_accuracy: Annotated[float, Field(gt=0, le=1)]
    max_accuracy_drop: Fraction
    compare: Literal["measured", "confident"] = "measured"
    min_class_recall: Fraction | None = None
    class_recall: dict[str, Fraction] = Field(default_factory=dict)
    min_slice_accuracy: Fraction | None = None
    min_class_examples: Annotated[int, Field(ge=1)] = 10
    top_k: Annotated[int, Field(ge=2)] = 3
    min_top_k_accuracy: Fraction | None = None
    min_auc: Fraction | None = None
    max_cross_entropy: Annotated[float, Field(gt=0)] | None = None
    max_calibration_error: Fraction | None = None
    other_classes: Literal["refuse", "floors"] = "refuse"


class LatencyBudgets(Settings):
    """Most milliseconds that a request may take; None: any."""

    p50_batch_1: Annotated[float, Field(gt=0)] | None = None
    p99_batch_1: Annotated[float, Field(gt=0)] | None = None
    p50_batch_32: Annotated[float, Field(gt=0)] | None = None
    p99_batch_32: Annotated[float, Field(gt=0)] | None = None


class ServingSettings(Settings):
    """What the exported model has to fulfil in a process of its own before it is pushed."""

    tolerance: Annotated[float, Field(gt=0)] = 1e-5
    requests: Annotated[int, Field(ge=3)] = 50
    engine: Literal["auto", "tensorflow"] = "auto"
    max_latency_ms: LatencyBudgets = LatencyBudgets()
    max_size_mb: Annotated[float, Field(gt=0)] | None = None
    max_memory_mb: Annotated[float, Field(gt=0)] | None = None
    known_precision: Annotated[float, Field(gt=0, lt=1)] | None = None
    infra_validator: Literal["none", "docker"] = "none"
    tf_serving_tag: str = "latest"


class PushSettings(Settings):
    """Where blessed models go, one numbered folder a version, as TF Serving reads them."""

    path: str | None = None
    keep: Annotated[int, Field(ge=1)] = 5


class ExportSettings(Settings):
    """Other formats of a pushed model."""

    formats: tuple[Literal["litert_float16", "litert_int8", "onnx"], ...] = ()
    representative_images: Annotated[int, Field(ge=1)] = 200
    max_accuracy_drop: Fraction = 0.01


class LocalRunner(Settings):
    """Everything that a run on this machine writes lies under `root`."""

    root: str = "build"


class Runners(Settings):
    """Engines and their options."""

    local: LocalRunner = LocalRunner()
    kubeflow: KubeflowSettings = KubeflowSettings()
    beam: tuple[str, ...] = ()

    @field_validator("beam")
    @classmethod
    def _beam_can_start(cls, beam: tuple[str, ...]) -> tuple[str, ...]:
        check_form(beam)
        return beam


class PipelineConfig(Settings):
    """The whole of pipeline.yaml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    data: DataSettings
    model: ModelSettings = ModelSettings()
    transform: TransformSettings = TransformSettings()
    train: TrainSettings = TrainSettings()
    tune: TuneSettings = TuneSettings()
    evaluate: EvaluateSettings
    serving: ServingSettings = ServingSettings()
    push: PushSettings = PushSettings()
    export: ExportSettings = ExportSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    runners: Runners = Runners()

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
