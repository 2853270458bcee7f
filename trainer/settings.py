"""What the trainer can be told: the `model`, `transform`, `train` and `tune` sections of pipeline.yaml.

The pipeline hands each section over as a plain dict; `model_validate` turns it back into these types.
Importing this module loads neither TensorFlow nor Keras.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.common.geometry import CROP_PADDING
from trainer.scaling import ALPHA, BASE_RESOLUTION, BETA, GAMMA, MIN_RESOLUTION, Variant, compound_variant, get_variant

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Coefficient = Annotated[float, Field(gt=0, le=64)]
PositiveFloat = Annotated[float, Field(gt=0)]
Magnitude = Annotated[float, Field(ge=0, le=30)]
RecipeName = Literal["official", "finetune", "quick", "small"]  # a row each in recipes.py

RATES = ("dropout_rate", "drop_connect_rate")
# Every hyperparameter that the tuner can search, by its name in `tune` and in `train` or `train.augment`.
TUNABLE = (*RATES, "learning_rate", "head_learning_rate", "label_smoothing", "randaugment_magnitude")
HEAD_EPOCHS = 40  # of the classifier on features; each takes milliseconds
HEAD_LEARNING_RATES = (0.0003, 0.03)  # searched where the head is trained on features, unless a range is given
FORMULA = ("phi", "alpha", "beta", "gamma", "base_width", "base_depth")  # what the compound formula is given
HYPERBAND_LEAST_EPOCHS = 3
DRIFT_LIMIT = 0.05  # of `when: drift`; half of what data.drift lets pass

MAX_SIDE = 2048  # pixels
STEM_STRIDE: Final = 2  # of the published networks

# What `model.weights` can be besides the path of a file.
NO_FILE = ("imagenet", "none")
WEB = ("http://", "https://")


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
    features: str  # folder with what the frozen network says of the images, if it was asked
    images: ImageFacts
    known_precision: float  # see `serving.known_precision`
    backbone: str
    data_fraction: float
    latency: bool


class Settings(BaseModel):
    """A frozen section of pipeline.yaml that refuses keys it does not know.

    The docstring below a field is its description: pipeline/config/reference.py says where it is shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def _filled(self, values: Mapping[str, float], *names: str) -> Self:
        """A copy in which those of `names` that are None have the given value, where there is one."""
        taken = {name: values[name] for name in names if name in values and getattr(self, name) is None}
        return self.model_copy(update=taken)


class ModelSettings(Settings):
    """Which EfficientNet to build, and the weights it starts from: `imagenet`, `none`, or the path or URL of a file.

    With a `phi` B0 is scaled by the compound formula, and `image_size` is the side at phi 0; without one the network is
    the published `variant`.
    """

    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "lite0", "lite1", "lite2", "lite3", "lite4"] = "b0"
    """The published network: B0 to B7, or Lite0 to Lite4, which are made for phones and int8.

    Each step up costs about twice as much computing. Start with b0; take a larger one when b0 is clearly below the
    accuracy you need and you have thousands of photos. Lite has no squeeze-excitation and ReLU6 instead of swish.
    """
    phi: Annotated[float, Field(ge=-20, le=20)] | None = None
    """The compound coefficient: B0 with depth x alpha^phi, channels x beta^phi and side x gamma^phi replaces the
    variant.

    Each whole step about doubles the FLOPs; 0.5 works, and so does -1 for small devices. `image_size` is then the side
    at phi 0.
    """
    alpha: Coefficient = ALPHA
    """How much depth grows with each step of phi.

    The default is the paper's (section 5). `effnet scale search --write` finds the value for your images.
    """
    beta: Coefficient = BETA
    """How much the number of channels grows with each step of phi."""
    gamma: Coefficient = GAMMA
    """How much the resolution grows with each step of phi."""
    base_width: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Channels at phi 0, as a multiple of B0's."""
    base_depth: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Blocks at phi 0, as a multiple of B0's."""
    image_size: Annotated[int, Field(ge=MIN_RESOLUTION, le=MAX_SIDE)] | None = None
    """Side of the network's input in pixels; null takes the variant's own, 224 for b0 up to 600 for b7.

    Training time grows with its square. Small images gain nothing from a side above their own.
    """
    stem_stride: Literal[1, 2] = STEM_STRIDE
    """Stride of the first layer; 1 keeps the side, so that images of 32 pixels are not halved too often.

    A stride of 1 takes about four times the computing at the same side.
    """
    weights: Annotated[str, Field(min_length=1)] = "none"
    """Where training starts from: none, imagenet (Keras' weights of B0 to B7, downloaded once), or the path or URL of a
    .h5, .weights.h5, .keras or .safetensors file (timm's names).

    With fewer than some thousand photos, published weights make the largest difference of all settings.
    """
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of that file, as `sha256sum` prints it; a URL needs it."""

    @property
    def chosen_variant(self) -> Variant:
        """The network's multipliers; its resolution is the one to train at."""
        if self.phi is None:
            published = get_variant(self.variant)
            side = self.image_size or published.resolution
            return replace(published, resolution=side, stem_strides=self.stem_stride)
        scaled = compound_variant(
            self.phi,
            self.alpha,
            self.beta,
            self.gamma,
            base_width=self.base_width,
            base_depth=self.base_depth,
            base_resolution=self.image_size or BASE_RESOLUTION,
        )
        return replace(scaled, stem_strides=self.stem_stride)

    @property
    def formula(self) -> dict[str, float]:
        """The numbers that the compound formula was given; empty for a published variant."""
        return {} if self.phi is None else {name: getattr(self, name) for name in FORMULA}

    @model_validator(mode="after")
    def _the_weights_can_be_had(self) -> "ModelSettings":
        if self.weights.lower().startswith(WEB):
            if self.weights_sha256 is None:
                raise ValueError(
                    "weights from a URL need weights_sha256, as `sha256sum` prints it, so that nobody can exchange the "
                    "file"
                )
        elif "://" in self.weights:
            raise ValueError(f"weights are read from a path, http:// or https://; got {self.weights}")
        elif self.weights in NO_FILE and self.weights_sha256 is not None:
            raise ValueError(f"weights_sha256 is of a file, and weights is {self.weights}; set weights_sha256 to null")
        if self.weights == "imagenet" and self.phi is None and self.chosen_variant.lite:
            raise ValueError(
                f"Keras publishes no ImageNet weights for {self.variant}; set weights to the path or URL of timm's "
                f"tf_efficientnet_{self.variant}, a .safetensors file"
            )
        return self

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
    """How an image becomes square: crop (the centre, as the reference code does it), squash (ignores proportions)
    or pad.

    crop suits photographs; squash suits digits, letters and drawings that fill the image; pad keeps everything and adds
    a border.
    """
    margin: Annotated[int, Field(ge=0, le=CROP_PADDING)] = 0
    """Pixels stored beyond `model.image_size`, so that random crops have room.

    32 with `resize: crop` keeps everything that the reference's crop leaves out. The network still sees the centre
    outside training.
    """
    format: Literal["jpeg", "png", "raw"] = "jpeg"
    """How resized images are stored: jpeg (4:4:4), png (lossless, about 4 times the bytes) or raw (no decoding
    while training, about 6 times).
    """
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 95
    """Quality of stored JPEGs."""
    materialize: bool = True
    """Store the resized images.

    With false nothing is stored and every epoch decodes and resizes the ingested images again: less disk, slower
    training.
    """

    @model_validator(mode="after")
    def _only_a_crop_has_a_margin(self) -> "TransformSettings":
        if self.margin and self.resize != "crop":
            raise ValueError(f"margin {self.margin} needs resize: crop; {self.resize} leaves nothing out")
        return self


class AugmentSettings(Settings):
    """Augmentation of training images; None leaves a value to the recipe."""

    random_crop: Rate | None = None
    """Smallest share of the image's area that a random crop keeps, such as 0.08; 0 turns cropping off."""
    padded_crop: Annotated[float, Field(ge=0, le=0.5)] | None = None
    """Share of the side by which an image may move, such as 0.125; its edges are mirrored. 0 turns this off."""
    horizontal_flip: bool | None = None
    """Mirror half of the images.

    Right for most photographs; wrong for digits, letters and anything whose mirror image has another meaning.
    """
    randaugment_layers: Annotated[int, Field(ge=0, le=4)] | None = None
    """Random distortions for each image (RandAugment's N), such as 2."""
    randaugment_magnitude: Magnitude | None = None
    """Strength of these distortions (RandAugment's M), usually 5 to 15."""
    erase: Fraction | None = None
    """Probability that a random rectangle is erased."""
    mixup: Annotated[float, Field(ge=0)] | None = None
    """Blend an image and its label with another one; alpha of the beta distribution, such as 0.2."""
    cutmix: Fraction | None = None
    """Paste a piece of another image; alpha of the beta distribution, such as 1.0."""


class TrainSettings(Settings):
    """How the network is trained.

    The second block overrides single values of the recipe; None leaves a value to it.
    """

    recipe: RecipeName = "quick"
    """The values of everything below that is null: quick (AdamW, cosine; for small images and short runs), small (the
    same with padded crops and mixup, for images below 64 pixels), official (the paper's: RMSProp, staircase decay,
    averaged weights; RandAugment from 100 epochs on) or finetune (the classifier on the frozen network's features, then
    the top blocks, then all layers; needs `model.weights`).

    With published weights take finetune, from scratch quick; official is for hundreds of epochs on many images.
    """
    epochs: Annotated[int, Field(ge=0)] = 8
    """Passes over the training images. With finetune these are the network's own; 0 trains only the classifier, which
    takes seconds.

    More helps until the validation loss in the report stops falling; with `patience` a generous number costs little.
    """
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Time for the network's own epochs with finetune: fewer are trained, or none, if they do not fit."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 32
    """Images for each training step, over all GPUs together; auto takes what the GPUs hold (32 on a CPU)."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many epochs without a lower validation loss; the best weights are kept. Null trains all
    epochs.
    """
    class_balance: Literal["none", "weights", "sampling"] = "none"
    """What is done about rare classes: none, weights (they count more in the loss) or sampling (they are drawn more
    often).
    """
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """Number format of the computation; auto is mixed precision on GPUs with tensor cores and float32 elsewhere."""
    xla: bool | Literal["auto"] = "auto"
    """Compile the training step with XLA; auto does so on a single GPU only.

    On CPUs XLA is about 5 times slower.
    """
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between two checkpoints; a killed run resumes from the last one."""
    dropout_rate: Rate | None = None
    """Dropout before the classifier; null takes the tuner's result, else the variant's own rate."""
    drop_connect_rate: Rate | None = None
    """Stochastic depth at the last block; null takes the tuner's result, else 0.2."""

    optimizer: Literal["rmsprop", "adamw"] | None = None
    """rmsprop or adamw."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate at this batch size.

    Halve it when the loss jumps or becomes NaN.
    """
    schedule: Literal["exponential", "cosine"] | None = None
    """How the learning rate falls: exponential (a staircase) or cosine (down to zero)."""
    warmup_epochs: Annotated[float, Field(ge=0)] | None = None
    """Epochs in which the learning rate rises from zero to its peak."""
    decay_epochs: Annotated[float, Field(gt=0)] | None = None
    """Epochs between two steps of the exponential schedule."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """Weight decay; it leaves out batch norm and biases."""
    label_smoothing: Rate | None = None
    """Share of each label that is spread over all classes, such as 0.1."""
    clip_norm: Annotated[float, Field(ge=0)] | None = None
    """Largest global gradient norm; 0 turns clipping off."""
    ema_decay: Rate | None = None
    """Decay of the weights' moving average, which is then evaluated and exported; 0 turns averaging off."""
    head_share: Rate | None = None
    """Share of the epochs that trains only the top blocks and the classifier (finetune)."""
    head_learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the classifier when it trains alone."""
    augment: AugmentSettings = AugmentSettings()
    """Random changes to training images."""

    def with_tuned(self, hyperparameters: Hyperparameters | None) -> "TrainSettings":
        """The section with the tuner's learning rate, label smoothing and magnitude where the user left them open."""
        tuned = tuned_values(hyperparameters)
        filled = self._filled(tuned, "learning_rate", "head_learning_rate", "label_smoothing")
        return filled.model_copy(update={"augment": self.augment._filled(tuned, "randaugment_magnitude")})


class Every(Settings):
    """`when: {every: 3}`: the first run searches, the next two take over its result, the fourth searches."""

    every: Annotated[int, Field(ge=1)]
    """A search on every Nth run of the Tuner."""


class Drifted(Settings):
    """`when: {drift: 0.05}`: a search is due once the images are further than this from those of the last one."""

    drift: Fraction
    """Jensen-Shannon divergence from which on a new search is due."""


TuneWhen = Literal["always", "first", "never", "drift"] | Every | Drifted


class TuneSettings(Settings):
    """The search over dropout, drop-connect and, where a range is given, more."""

    enabled: bool = True
    """Run the Tuner; false leaves the step out."""
    when: TuneWhen = "always"
    """When a search is due: always, first (once, then its result is reused), {every: 3} (every third run), {drift:
    0.05} (once the images differ this much from the last search's) or never.

    Without a search the last result is used, or the published values if there is none.
    """
    algorithm: Literal["random", "bayesian", "grid", "hyperband"] = "random"
    """random, bayesian, grid (lowest, default and highest values) or hyperband (epochs must be 3 or more)."""
    trials: Annotated[int, Field(ge=1)] = 3
    """Number of trials; the first one takes the default values. hyperband derives its own number from `epochs`."""
    epochs: Annotated[int, Field(ge=1)] = 1
    """Epochs for each trial; for hyperband, of its longest trials."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Time limit in minutes: no trial starts that would not end in time."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """Trials at the same time, each in its own process and, if there are as many, with its own GPU."""
    stop_hopeless: bool = True
    """Stop a trial that is below the median of the finished ones from half of its epochs on."""
    data_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the training images that trials use, apart from those of `val_fraction`."""
    val_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the training images that ranks the trials; val and eval images are never used for it."""
    dropout_rate: tuple[Rate, Rate] = (0.0, 0.5)
    """Lowest and highest dropout to try. What `train` sets is not searched."""
    drop_connect_rate: tuple[Rate, Rate] = (0.0, 0.3)
    """Lowest and highest drop-connect rate to try."""
    learning_rate: tuple[PositiveFloat, PositiveFloat] | None = None
    """Lowest and highest peak learning rate to try, such as [0.001, 0.01], on a logarithmic scale; null does not
    search it.
    """
    head_learning_rate: tuple[PositiveFloat, PositiveFloat] | None = None
    """With finetune: lowest and highest peak learning rate of the classifier, on a logarithmic scale; null takes 0.0003
    to 0.03.
    """
    label_smoothing: tuple[Rate, Rate] | None = None
    """Lowest and highest label smoothing to try, such as [0.0, 0.2]; trials are then ranked by accuracy instead of
    loss.
    """
    randaugment_magnitude: tuple[Magnitude, Magnitude] | None = None
    """Lowest and highest RandAugment magnitude to try, such as [5, 15]."""

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """What is searched: (lowest, highest) by name."""
        ranges = {name: getattr(self, name) for name in TUNABLE}
        return {name: bounds for name, bounds in ranges.items() if bounds is not None}

    def of_head(self) -> "TuneSettings":
        """The search on the features of a frozen network: what only the network itself or its images have is left out.

        Every trial trains the head to its end, on all of its share.
        """
        left_out = {"drop_connect_rate": None, "learning_rate": None, "randaugment_magnitude": None}
        rates = self.head_learning_rate or HEAD_LEARNING_RATES
        whole = {"head_learning_rate": rates, "epochs": HEAD_EPOCHS, "data_fraction": 1.0}
        return self.model_copy(update={**left_out, **whole})

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
