"""The typed, frozen form of pipeline.yaml.

`load_config` reads the file, applies `--set section.key=value` overrides and returns a `PipelineConfig`; anything it
cannot accept becomes a `ConfigError` that names the line, the key and, for a misspelt key, the nearest valid one.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from pipeline.config.beam import check_form
from pipeline.config.errors import explain, key_lines
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.config.schedule import ScheduleSettings
from trainer.settings import (
    NO_FILE,
    Fraction,
    ModelSettings,
    Settings,
    TrainSettings,
    TransformSettings,
    TuneSettings,
)

DEFAULT_PATH = Path(__file__).resolve().parents[2] / "pipeline.yaml"
OWN_FILE = "pipeline.yaml"  # in the folder where a command is typed, as `effnet init` writes it
# What the parser makes of an unquoted text such as */5, which it takes for an alias, or @daily.
ALIAS_ERRORS = (yaml.scanner.ScannerError, yaml.composer.ComposerError)
# Values that are paths: those from the file start at the file's folder, those from the command line at the shell's.
PATH_KEYS = ("data.path", "model.weights", "push.path", "runners.local.root")


class ConfigError(ValueError):
    """pipeline.yaml, or a `--set`, cannot be used; the message is one line with the fix in it."""


class Split(Settings):
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
    classes: tuple[str, ...] = ()
    split: Split = Split()
    max_bad_fraction: Fraction = 0.05
    min_images_per_class: Annotated[int, Field(ge=1)] = 10
    max_class_imbalance: Annotated[float, Field(ge=1)] = 100.0
    max_pixels: Annotated[int, Field(ge=1024)] = 50_000_000
    near_duplicates: bool = True
    features: RecordFeatures = RecordFeatures()
    span: Span = Span()
    drift: Drift | None = Drift()


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
    max_latency_ms: LatencyBudgets = LatencyBudgets()
    max_size_mb: Annotated[float, Field(gt=0)] | None = None
    max_memory_mb: Annotated[float, Field(gt=0)] | None = None
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
        if self.train.chosen_recipe.head_share and self.model.weights == "none":
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
        layers = self.train.chosen_recipe.augment.randaugment_layers
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
    def push_path(self) -> str:
        """The folder that TF Serving watches."""
        return self.push.path or str(self.run_root / "served")


def find_config(path: Path | str | None = None) -> Path:
    """The file that is meant: `path`, else pipeline.yaml in the current folder, else the shipped one."""
    if path is None:
        path = OWN_FILE if Path(OWN_FILE).is_file() else DEFAULT_PATH
    return Path(path).resolve()


def load_config(path: Path | str | None = None, overrides: Sequence[str] = ()) -> PipelineConfig:
    """Reads `path` and applies `overrides`, each of the form `section.key=value` with a YAML value.

    Without a `path` it is the one of `find_config`.

    Raises:
      ConfigError: the file is missing or not YAML, a key is unknown, or a value is not acceptable.
    """
    path = find_config(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        lines = key_lines(yaml.compose(text, Loader=yaml.SafeLoader))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name the file with --config") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name} line {mark.line + 1}" if mark else path.name
        quotes = "; a text that begins with * or @ needs quotes" if isinstance(error, ALIAS_ERRORS) else ""
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', error)}{quotes}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path.name}: expected sections such as `data:`, got {type(document).__name__}")

    _resolve_paths(document, path.parent)
    for override in overrides:
        _apply_override(document, override)
    try:
        return PipelineConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(explain(error, PipelineConfig, document, path.name, lines, overrides)) from error


def _absolute(path: str, base: Path) -> str:
    """`path` made absolute from `base`; a URI such as gs://bucket, or a word instead of a path, stays as it is."""
    return path if "://" in path or path in NO_FILE else str((base / Path(path).expanduser()).resolve())


def _resolve_paths(document: dict, base: Path) -> None:
    """Makes the path values of `document` absolute, in place."""
    for dotted in PATH_KEYS:
        *sections, key = dotted.split(".")
        section: Any = document
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = _absolute(section[key], base)


def _apply_override(document: dict, override: str) -> None:
    """Sets one value of `document`, in place, from `section.key=value`."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: expected section.key=value, for example --set train.epochs=3")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {override}: the value is not valid YAML; a text with * or @ needs quotes within the shell's: "
            f"""--set '{dotted}="{text}"'"""
        ) from error
    if dotted in PATH_KEYS and isinstance(value, str):
        value = _absolute(value, Path.cwd())
    *sections, key = dotted.split(".")
    section: Any = document
    for name in sections:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {name} is a value, not a section")
    section[key] = value
