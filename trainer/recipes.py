"""The recipes that `train.recipe` names, one row of values each, and who decides a hyperparameter. Loads no TensorFlow.

Sources: tensorflow/tpu models/official/efficientnet (main.py, utils.py, autoaugment.py) and arXiv 1905.11946, section
5.2, for `official`; keras.io/examples/vision/image_classification_efficientnet_fine_tuning for `finetune`; `quick` is
our own, for small images and a few hundred steps.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Literal

from trainer.scaling import Variant, get_variant
from trainer.settings import Hyperparameters, ModelSettings, RecipeName, TrainSettings, tuned_values

# Stochastic depth of the last block when neither the user nor the tuner says otherwise (arXiv 1905.11946, section 5.2).
DEFAULT_DROP_CONNECT_RATE = 0.2


@dataclass(frozen=True)
class Augment:
    """What happens to training images; the defaults leave them alone. See trainer/augment.py."""

    random_crop: float = 0.0  # smallest share of the image's area that a random resized crop keeps; 0: no crop
    padded_crop: float = 0.0  # share of the side by which an image may move, its edges mirrored; 0: none
    horizontal_flip: bool = False
    randaugment_layers: int = 0  # RandAugment's N, operations an image; 0: none
    randaugment_magnitude: float = 10.0  # its M
    erase: float = 0.0  # probability of random erasing
    mixup: float = 0.0  # alpha of the beta distribution; 0: none
    cutmix: float = 0.0  # the same


@dataclass(frozen=True)
class Recipe:
    """Everything about a training that its length and its data leave open."""

    optimizer: Literal["rmsprop", "adamw"]
    learning_rate: float  # peak, for `learning_rate_batch` images a step
    learning_rate_batch: int | None  # scaled by batch size / this; None: not scaled
    schedule: Literal["exponential", "cosine"]
    warmup_epochs: float  # linear from 0
    warmup_share: float  # of all steps, at most
    decay_epochs: float | None  # between two stairs of the exponential schedule; None: see learning_rate.decay_epochs
    weight_decay: float  # RMSProp: L2 in the loss, AdamW: decoupled; not on batch norm or biases
    label_smoothing: float
    clip_norm: float  # of the global gradient; 0: not clipped
    ema_decay: float  # of averaged weights, which are then evaluated and exported; 0: none
    head_share: float  # of the epochs for the classifier alone, batch norm frozen all along; 0: none
    head_learning_rate: float  # peak of that phase, not scaled
    augment: Augment = field(default_factory=Augment)

    def peak_learning_rate(self, batch_size: int) -> float:
        """The learning rate after the warm-up, for `batch_size` images a step."""
        return self.learning_rate * (batch_size / self.learning_rate_batch if self.learning_rate_batch else 1.0)


OFFICIAL = Recipe(
    optimizer="rmsprop",
    learning_rate=0.016,
    learning_rate_batch=256,
    schedule="exponential",
    warmup_epochs=5.0,
    warmup_share=0.2,
    decay_epochs=None,
    weight_decay=1e-5,
    label_smoothing=0.1,
    clip_norm=0.0,
    ema_decay=0.9999,
    head_share=0.0,
    head_learning_rate=0.0,
    # The official crop keeps 8 to 100 % (preprocessing.py). AutoAugment was official for B0 to B7, RandAugment its
    # successor in the same repository, with two layers.
    augment=Augment(random_crop=0.08, horizontal_flip=True, randaugment_layers=2),
)

# The official augmentation belongs to 350 epochs. A short training does not get past it: B0 on 720 photos for 30 epochs
# reached a test accuracy of 0.45 with it and of 0.73 with this one (benchmarks/from_scratch.py).
SHORT_EPOCHS = 100
SHORT_AUGMENT = Augment(random_crop=0.35, horizontal_flip=True)

QUICK = Recipe(
    optimizer="adamw",
    learning_rate=0.003,
    learning_rate_batch=None,
    schedule="cosine",
    warmup_epochs=5.0,
    warmup_share=0.1,
    decay_epochs=None,
    weight_decay=0.01,
    label_smoothing=0.1,
    clip_norm=1.0,
    ema_decay=0.0,
    head_share=0.0,
    head_learning_rate=0.0,
)

RECIPES: dict[RecipeName, Recipe] = {
    "official": OFFICIAL,
    "finetune": replace(
        OFFICIAL,
        optimizer="adamw",
        learning_rate=0.0003,
        learning_rate_batch=None,
        schedule="cosine",
        warmup_epochs=1.0,
        weight_decay=0.01,
        clip_norm=1.0,
        ema_decay=0.0,
        head_share=0.3,
        head_learning_rate=0.003,
        augment=SHORT_AUGMENT,
    ),
    "quick": QUICK,
    # For images of 32 pixels or so: what strong baselines on CIFAR do (4 of 32 pixels of padding; mixup, arXiv
    # 1710.09412, with its alpha of .2). The stem's stride is the model's: `model.stem_stride`.
    "small": replace(QUICK, weight_decay=0.05, augment=Augment(padded_crop=4 / 32, mixup=0.2)),
}


def recipe_of(settings: TrainSettings) -> Recipe:
    """The recipe that the `train` section names, with the section's overrides; None there leaves the recipe's value.

    Below `SHORT_EPOCHS` the official recipe augments less. A learning rate that the user gives is the peak itself, not
    scaled by the batch size.
    """
    recipe = RECIPES[settings.recipe]
    if settings.learning_rate is not None:
        recipe = replace(recipe, learning_rate_batch=None)
    if settings.recipe == "official" and settings.epochs < SHORT_EPOCHS:
        recipe = replace(recipe, augment=SHORT_AUGMENT)
    known = {entry.name for entry in fields(Recipe)} - {"augment"}
    chosen = {key: value for key, value in settings.model_dump().items() if key in known and value is not None}
    augment = {key: value for key, value in settings.augment.model_dump().items() if value is not None}
    return replace(recipe, **chosen, augment=replace(recipe.augment, **augment))


def published_rates(variant: str | Variant) -> dict[str, float]:
    """`dropout_rate` and `drop_connect_rate` of the paper."""
    return {
        "dropout_rate": get_variant(variant).dropout_rate,
        "drop_connect_rate": DEFAULT_DROP_CONNECT_RATE,
    }


def default_values(variant: str | Variant, recipe: Recipe, batch_size: int) -> dict[str, float]:
    """What every tunable hyperparameter is without a tuner, for `batch_size` images a step."""
    return {
        **published_rates(variant),
        "learning_rate": recipe.peak_learning_rate(batch_size),
        "head_learning_rate": recipe.head_learning_rate,
        "label_smoothing": recipe.label_smoothing,
        "randaugment_magnitude": recipe.augment.randaugment_magnitude,
    }


def choose_rates(
    model_settings: ModelSettings, settings: TrainSettings, hyperparameters: Hyperparameters | None
) -> dict[str, float]:
    """`dropout_rate` and `drop_connect_rate`: the user's, else the tuner's, else the published ones."""
    tuned = tuned_values(hyperparameters)
    chosen = {}
    for name, default in published_rates(model_settings.chosen_variant).items():
        asked = getattr(settings, name)
        chosen[name] = float(asked if asked is not None else tuned.get(name, default))
    return chosen
