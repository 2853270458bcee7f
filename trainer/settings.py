"""What the trainer can be told: the `model`, `transform`, `train` and `tune` sections of pipeline.yaml.

The pipeline hands each section over as a plain dict; `model_validate` turns it back into these types.
Importing this module loads neither TensorFlow nor Keras.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.common.geometry import CROP_PADDING
from trainer.scaling import ALPHA, BASE_RESOLUTION, BETA, GAMMA, MIN_RESOLUTION, Variant, compound_variant, get_variant

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Coefficient = Annotated[float, Field(gt=0, le=64)]
PositiveFloat = Annotated[float, Field(gt=0)]
Magnitude = Annotated[float, Field(ge=0, le=30)]
RecipeName = Literal["official", "finetune", "quick"]  # a row each in recipes.py

RATES = ("dropout_rate", "drop_connect_rate")
# Every hyperparameter that the tuner can search, by its name in `tune` and in `train` or `train.augment`.
TUNABLE = (*RATES, "learning_rate", "label_smoothing", "randaugment_magnitude")
FORMULA = ("phi", "alpha", "beta", "gamma", "base_width", "base_depth")  # what the compound formula is given
HYPERBAND_LEAST_EPOCHS = 3
DRIFT_LIMIT = 0.05  # of `when: drift`; half of what data.drift lets pass

MAX_SIDE = 2048  # pixels

# What `model.weights` can be besides the path of a file.
NO_FILE = ("imagenet", "none")


class Hyperparameters(TypedDict, total=False):
    """What the tuner found, as `keras_tuner.HyperParameters.get_config` writes it."""

    space: list[object]
    values: dict[str, float]


class StoreOptions(TypedDict):
    """How one image is stored: fields of `TransformSettings`."""

    resize: str
    margin: int
    format: str
    jpeg_quality: int


class TransformConfig(StoreOptions):
    """What Transform hands to `preprocessing_fn`."""

    image_size: int


class ImageFacts(TypedDict, total=False):
    """What the Tuner component says of the images: their profile, and their drift since each earlier search."""

    profile: dict[str, dict[str, int]]
    drift: dict[str, float]


class TrainingConfig(TypedDict, total=False):
    """What the pipeline hands to `run_fn` and `tuner_fn`: sections of pipeline.yaml, and what else decides a training.

    The last three are of trainings that are compared (trainer/compound/).
    """

    model: dict[str, object]
    train: dict[str, object]
    transform: dict[str, object]
    tune: dict[str, object]
    image_size: int  # pixels a side
    seed: int
    source: str  # hash of the trainer's code
    weights_source: str  # hash of the weights that it starts from, where these are a file
    component_source: str  # hash of the Tuner component's code
    checkpoint_root: str  # folder, if the training may be resumed
    images: ImageFacts
    known_precision: float  # see `serving.known_precision`
    backbone: str
    data_fraction: float
    latency: bool


class Settings(BaseModel):
    """A frozen section of pipeline.yaml that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def _filled(self, values: Mapping[str, float], *names: str) -> Self:
        """A copy in which those of `names` that are None have the given value, where there is one."""
        taken = {name: values[name] for name in names if name in values and getattr(self, name) is None}
        return self.model_copy(update=taken)


class ModelSettings(Settings):
    """Which EfficientNet to build, and the weights it starts from: `imagenet`, `none` or a file.

    With a `phi` B0 is scaled by the compound formula, and `image_size` is the side at phi 0; without one the network is
    the published `variant`.
    """

    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"] = "b0"
    phi: Annotated[float, Field(ge=-20, le=20)] | None = None
    alpha: Coefficient = ALPHA
    beta: Coefficient = BETA
    gamma: Coefficient = GAMMA
    base_width: Annotated[float, Field(gt=0, le=8)] = 1.0
    base_depth: Annotated[float, Field(gt=0, le=8)] = 1.0
    image_size: Annotated[int, Field(ge=MIN_RESOLUTION, le=MAX_SIDE)] | None = None
    weights: Annotated[str, Field(min_length=1)] = "none"

    @property
    def chosen_variant(self) -> Variant:
        """The network's multipliers; its resolution is the one to train at."""
        if self.phi is None:
            published = get_variant(self.variant)
            return replace(published, resolution=self.image_size or published.resolution)
        return compound_variant(
            self.phi,
            self.alpha,
            self.beta,
            self.gamma,
            base_width=self.base_width,
            base_depth=self.base_depth,
            base_resolution=self.image_size or BASE_RESOLUTION,
        )

    @property
    def formula(self) -> dict[str, float]:
        """The numbers that the compound formula was given; empty for a published variant."""
        return {} if self.phi is None else {name: getattr(self, name) for name in FORMULA}

    @model_validator(mode="after")
    def _the_formula_gives_a_network(self) -> "ModelSettings":
        if self.phi is None:
            return self
        if self.weights == "imagenet":
            raise ValueError("ImageNet weights are published for model.variant only; with model.phi set weights: none")
        side = self.chosen_variant.resolution
        if side > MAX_SIDE:
            raise ValueError(f"phi {self.phi:g} gives {side} pixels a side, more than {MAX_SIDE}; lower phi or gamma")
        return self


class TransformSettings(Settings):
    """How images are resized and stored for training."""

    resize: Literal["crop", "squash", "pad"] = "crop"
    margin: Annotated[int, Field(ge=0, le=CROP_PADDING)] = 0
    format: Literal["jpeg", "png", "raw"] = "jpeg"
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 95
    materialize: bool = True

    @model_validator(mode="after")
    def _only_a_crop_has_a_margin(self) -> "TransformSettings":
        if self.margin and self.resize != "crop":
            raise ValueError(f"margin {self.margin} needs resize: crop; {self.resize} leaves nothing out")
        return self


class AugmentSettings(Settings):
    """Augmentation of training images; None leaves a value to the recipe. `recipes.Augment` says what each means."""

    random_crop: Rate | None = None
    horizontal_flip: bool | None = None
    randaugment_layers: Annotated[int, Field(ge=0, le=4)] | None = None
    randaugment_magnitude: Magnitude | None = None
    erase: Fraction | None = None
    mixup: Annotated[float, Field(ge=0)] | None = None
    cutmix: Fraction | None = None


class TrainSettings(Settings):
    """How the network is trained.

    The second block overrides single values of the recipe; None leaves a value to it. `recipes.Recipe` says what each
    means.
    """

    recipe: RecipeName = "quick"
    epochs: Annotated[int, Field(ge=1)] = 8
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 32
    patience: Annotated[int, Field(ge=1)] | None = None
    class_balance: Literal["none", "weights", "sampling"] = "none"
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    xla: bool | Literal["auto"] = "auto"
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    dropout_rate: Rate | None = None
    drop_connect_rate: Rate | None = None

    optimizer: Literal["rmsprop", "adamw"] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["exponential", "cosine"] | None = None
    warmup_epochs: Annotated[float, Field(ge=0)] | None = None
    decay_epochs: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    label_smoothing: Rate | None = None
    clip_norm: Annotated[float, Field(ge=0)] | None = None
    ema_decay: Rate | None = None
    head_share: Rate | None = None
    head_learning_rate: Annotated[float, Field(gt=0)] | None = None
    augment: AugmentSettings = AugmentSettings()

    def with_tuned(self, hyperparameters: Hyperparameters | None) -> "TrainSettings":
        """The section with the tuner's learning rate, label smoothing and magnitude where the user left them open."""
        tuned = tuned_values(hyperparameters)
        filled = self._filled(tuned, "learning_rate", "label_smoothing")
        return filled.model_copy(update={"augment": self.augment._filled(tuned, "randaugment_magnitude")})


class Every(Settings):
    """`when: {every: 3}`: the first run searches, the next two take over its result, the fourth searches."""

    every: Annotated[int, Field(ge=1)]


class Drifted(Settings):
    """`when: {drift: 0.05}`: a search is due once the images are further than this from those of the last one."""

    drift: Fraction


TuneWhen = Literal["always", "first", "never", "drift"] | Every | Drifted


class TuneSettings(Settings):
    """The search over dropout, drop-connect and, where a range is given, more."""

    enabled: bool = True
    when: TuneWhen = "always"
    algorithm: Literal["random", "bayesian", "grid", "hyperband"] = "random"
    trials: Annotated[int, Field(ge=1)] = 3
    epochs: Annotated[int, Field(ge=1)] = 1
    minutes: Annotated[float, Field(gt=0)] | None = None
    parallel: Annotated[int, Field(ge=1, le=64)] = 1
    stop_hopeless: bool = True
    data_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    val_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    dropout_rate: tuple[Rate, Rate] = (0.0, 0.5)
    drop_connect_rate: tuple[Rate, Rate] = (0.0, 0.3)
    learning_rate: tuple[PositiveFloat, PositiveFloat] | None = None
    label_smoothing: tuple[Rate, Rate] | None = None
    randaugment_magnitude: tuple[Magnitude, Magnitude] | None = None

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """What is searched: (lowest, highest) by name."""
        ranges = {name: getattr(self, name) for name in TUNABLE}
        return {name: bounds for name, bounds in ranges.items() if bounds is not None}

    def without_decided(self, train: TrainSettings) -> "TuneSettings":
        """The search without what the user has decided in `train`: trials take that value, as the training will."""
        decided = {**train.model_dump(), **train.augment.model_dump()}
        pinned: dict[str, tuple[float, float] | None] = {}
        for name in TUNABLE:
            if decided[name] is not None:
                # The recipe supplies the other values; the rates are always given.
                pinned[name] = (decided[name], decided[name]) if name in RATES else None
        return self.model_copy(update=pinned)

    @property
    def drift_limit(self) -> float | None:
        """How far the images may drift before a new search is due; None where that is not asked."""
        if isinstance(self.when, Drifted):
            return self.when.drift
        return DRIFT_LIMIT if self.when == "drift" else None

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "TuneSettings":
        for name, (low, high) in self.ranges.items():
            if low > high:
                raise ValueError(f"{name} must be [lowest, highest]; got [{low}, {high}]")
        return self

    @model_validator(mode="after")
    def _hyperband_has_epochs_to_give(self) -> "TuneSettings":
        if self.algorithm == "hyperband" and self.epochs < HYPERBAND_LEAST_EPOCHS:
            raise ValueError(
                f"hyperband gives the best trials more epochs; tune.epochs must be at least {HYPERBAND_LEAST_EPOCHS}, "
                f"got {self.epochs}"
            )
        return self


def tuned_values(hyperparameters: Hyperparameters | None) -> dict[str, float]:
    """The tuner's values by name; keys that are not ours, such as Hyperband's own `tuner/epochs`, are left out."""
    values = (hyperparameters or {}).get("values", {})
    return {name: float(values[name]) for name in TUNABLE if name in values}
