"""The learning rate over a training, and the batch-norm momentum that fits its length."""

from typing import TypedDict

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule

from trainer.kernels import Tensor
from trainer.recipes import Recipe

# Batch norm's moving statistics average over the last 1 / (1 - momentum) steps. The official momentum, .99 (100 steps;
# tensorflow/tpu efficientnet_builder.py), belongs to hundreds of thousands of steps. In a run of a few hundred it would
# still remember the untrained network, and evaluation would collapse while training looks fine.
LONGEST_AVERAGE_STEPS = 100
SHORTEST_AVERAGE_STEPS = 10
AVERAGE_FRACTION_OF_RUN = 0.05

# The official staircase: .97 every 2.4 epochs of 350 (tensorflow/tpu main.py), down to 1.2 % of the peak.
DECAY_RATE = 0.97
DECAY_EPOCHS = 2.4
OFFICIAL_EPOCHS = 350


def batch_norm_momentum(total_steps: int) -> float:
    """The official .99 for long runs, less for short ones: an average over 5 % of the run, at least ten steps."""
    window = min(max(total_steps * AVERAGE_FRACTION_OF_RUN, SHORTEST_AVERAGE_STEPS), LONGEST_AVERAGE_STEPS)
    return 1.0 - 1.0 / window


def decay_epochs(recipe: Recipe, epochs: int) -> float:
    """Epochs between two stairs: the recipe's, else 2.4.

    A run shorter than the official one takes the same number of stairs in its time: at 2.4 epochs each, 30 epochs
    would end at 70 % of the peak, where nothing has converged.
    """
    return recipe.decay_epochs or DECAY_EPOCHS * min(1.0, epochs / OFFICIAL_EPOCHS)


class WarmUpConfig(TypedDict):
    """The arguments of `LinearWarmUp`, as Keras saves them."""

    schedule: dict[str, object]
    peak: float
    steps: int


@keras.saving.register_keras_serializable("trainer")
class LinearWarmUp(LearningRateSchedule):
    """Rises linearly from 0 to `peak` at `steps`, then follows `schedule`, which counts from step 0 too.

    The rule of tensorflow/tpu utils.py, build_learning_rate. Keras' ExponentialDecay has no warm-up, and its
    CosineDecay starts counting after its own.
    """

    def __init__(self, schedule: LearningRateSchedule, peak: float, steps: int) -> None:
        self.schedule = schedule
        self.peak = peak
        self.steps = steps

    def __call__(self, step: Tensor) -> Tensor:
        """The learning rate of a step, counted from 0."""
        rising = self.peak * ops.cast(step, "float32") / self.steps
        return ops.where(step < self.steps, rising, self.schedule(step))

    def get_config(self) -> WarmUpConfig:
        """Return the arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "peak": self.peak, "steps": self.steps}

    @classmethod
    def from_config(cls, config: WarmUpConfig) -> "LinearWarmUp":
        """Build it from what `get_config` returned."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["peak"], config["steps"])


def learning_rate_schedule(
    recipe: Recipe, *, batch_size: int, epochs: int, steps_per_epoch: int, peak: float | None = None
) -> LearningRateSchedule:
    """The recipe's schedule over `epochs`: linear warm-up, then a staircase or a cosine down to zero.

    `peak` replaces the recipe's learning rate, which is scaled by the batch size where the recipe says so.
    """
    total_steps = epochs * steps_per_epoch
    if peak is None:
        peak = recipe.peak_learning_rate(batch_size)
    schedule: LearningRateSchedule
    if recipe.schedule == "exponential":
        stair = decay_epochs(recipe, epochs) * steps_per_epoch
        schedule = ExponentialDecay(peak, decay_steps=stair, decay_rate=DECAY_RATE, staircase=True)
    else:
        schedule = CosineDecay(peak, decay_steps=total_steps)
    # Five epochs are 1.4 % of the official run, but would be most of a short one.
    warmup_steps = int(min(recipe.warmup_epochs * steps_per_epoch, recipe.warmup_share * total_steps))
    return LinearWarmUp(schedule, peak, warmup_steps) if warmup_steps else schedule
