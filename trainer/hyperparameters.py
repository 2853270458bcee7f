"""Who decides a hyperparameter: the user, else the tuner, else the published or the recipe's value.

Importing this module loads neither TensorFlow nor Keras.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from trainer.recipes import Recipe
from trainer.scaling import Variant, get_variant
from trainer.settings import TUNABLE, ModelSettings, Settings, TrainSettings, TuneSettings

# Stochastic depth of the last block when neither the user nor the tuner says otherwise (arXiv 1905.11946, section 5.2).
DEFAULT_DROP_CONNECT_RATE = 0.2
RATES = ("dropout_rate", "drop_connect_rate")

Section = TypeVar("Section", bound=Settings)


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
        "label_smoothing": recipe.label_smoothing,
        "randaugment_magnitude": recipe.augment.randaugment_magnitude,
    }


def choose_rates(
    model_settings: ModelSettings, settings: TrainSettings, hyperparameters: Mapping[str, Any] | None
) -> dict[str, float]:
    """`dropout_rate` and `drop_connect_rate`: the user's, else the tuner's, else the published ones."""
    tuned = _tuned_values(hyperparameters)
    chosen = {}
    for name, default in published_rates(model_settings.chosen_variant).items():
        asked = getattr(settings, name)
        chosen[name] = float(asked if asked is not None else tuned.get(name, default))
    return chosen


def with_tuned(settings: TrainSettings, hyperparameters: Mapping[str, Any] | None) -> TrainSettings:
    """The settings with the tuner's learning rate, label smoothing and magnitude where the user left them open."""
    tuned = _tuned_values(hyperparameters)

    def fill(section: Section, *names: str) -> Section:
        taken = {name: tuned[name] for name in names if name in tuned and getattr(section, name) is None}
        return section.model_copy(update=taken)

    filled = fill(settings, "learning_rate", "label_smoothing")
    return filled.model_copy(update={"augment": fill(settings.augment, "randaugment_magnitude")})


def left_to_tune(tune: TuneSettings, train: TrainSettings) -> TuneSettings:
    """The search without what the user has decided in `train`: trials take that value, as the training will."""
    decided = {**train.model_dump(), **train.augment.model_dump()}
    pinned: dict[str, tuple[float, float] | None] = {}
    for name in TUNABLE:
        if decided[name] is not None:
            # The recipe brings the other values along; the rates are always given.
            pinned[name] = (decided[name], decided[name]) if name in RATES else None
    return tune.model_copy(update=pinned)


def _tuned_values(hyperparameters: Mapping[str, Any] | None) -> dict[str, float]:
    """The tuner's values; keys that are not ours, such as Hyperband's own `tuner/epochs`, are left behind."""
    values = (hyperparameters or {}).get("values", {})
    return {name: float(values[name]) for name in TUNABLE if name in values}
