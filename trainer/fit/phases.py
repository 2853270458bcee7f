"""The phases of a training, and how the model is compiled for each: optimiser, loss, weight decay, metric.

Without a head phase the whole network trains from the first step. With one the classifier trains alone first, either
for some epochs or, where the features of all images are there, on these before the first epoch (trainer/fit/head.py);
then the top blocks with it, and then all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import keras
from keras.optimizers.schedules import LearningRateSchedule

from trainer.learning_rate import learning_rate_schedule
from trainer.optimizers import AdamW, RMSprop
from trainer.recipes import Recipe
from trainer.weights import CLASSIFIER

NOT_DECAYED = ("gamma", "beta", "bias")
TOP_BLOCKS = ("block6", "block7", "top_")  # the last two stages, a third of the multiply-adds and most of the weights
TRAINED: dict[str, str | tuple[str, ...]] = {"head": (), "top": TOP_BLOCKS, "all": ""}  # beginnings of layers' names


@dataclass(frozen=True)
class Phase:
    """Epochs `start` to `end` (counted from 0, `end` not included) with the same trainable layers."""

    start: int
    end: int
    trains: Literal["head", "top", "all"] = "all"


def phases_of(recipe: Recipe, epochs: int, head_is_trained: bool = False) -> list[Phase]:
    """The phases of `epochs`; each has at least one epoch, as long as there are two. None of 0.

    The recipe's `head_share` is the head's, and that of the top blocks where the head was trained before.
    """
    first = max(min(max(round(recipe.head_share * epochs), 1), epochs - 1), 0) if recipe.head_share else 0
    phases = [Phase(0, first, "top" if head_is_trained else "head"), Phase(first, epochs)]
    return [phase for phase in phases if phase.start < phase.end]


def compile_phase(
    model: keras.Model, phase: Phase, recipe: Recipe, *, batch_size: int, steps_per_epoch: int, xla: bool
) -> None:
    """Freezes what the phase leaves alone and gives the model a new optimiser with the phase's own schedule.

    A frozen batch norm runs in inference mode. Under a recipe with a head phase it stays so to the end: the statistics
    of small fine-tuning batches would spoil what the published weights rely on.
    """
    for layer in model.layers:
        frozen = isinstance(layer, keras.layers.BatchNormalization) and recipe.head_share
        layer.trainable = layer.name == CLASSIFIER or (layer.name.startswith(TRAINED[phase.trains]) and not frozen)
    learning_rate = learning_rate_schedule(
        recipe,
        batch_size=batch_size,
        epochs=phase.end - phase.start,
        steps_per_epoch=steps_per_epoch,
        peak=recipe.head_learning_rate if phase.trains == "head" else None,
    )
    compile_model(model, recipe, learning_rate, xla=xla)


def compile_model(
    model: keras.Model,
    recipe: Recipe,
    learning_rate: LearningRateSchedule,
    *,
    xla: bool = False,
) -> None:
    """Gives `model` (logits out, one-hot labels in) its optimiser, loss, weight decay and accuracy metric."""
    optimizer = _optimizer(recipe, learning_rate)
    _set_l2(model.trainable_variables, recipe.weight_decay if recipe.optimizer == "rmsprop" else 0.0)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=xla,
    )
    # Variables that are made while a step is traced make TensorFlow trace that step twice. Of `model`, since compiling
    # wraps the optimiser in one that scales the loss where the precision is mixed_float16.
    model.optimizer.build(model.trainable_variables)


def reset_optimizer(model: keras.Model) -> None:
    """Brings a compiled model's optimiser back to the state of a new one, in place."""
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):  # mixed_float16 wraps it in one
        optimizer.dynamic_scale.assign(optimizer.initial_scale)
        optimizer.step_counter.assign(0)
        optimizer = optimizer.inner_optimizer
    optimizer.reset()


def _optimizer(recipe: Recipe, learning_rate: LearningRateSchedule) -> keras.optimizers.Optimizer:
    clip_norm = recipe.clip_norm or None
    if recipe.optimizer == "rmsprop":
        return RMSprop(learning_rate, global_clipnorm=clip_norm)
    optimizer = AdamW(learning_rate, weight_decay=recipe.weight_decay, global_clipnorm=clip_norm)
    optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer


def _set_l2(variables: Sequence[keras.Variable], weight_decay: float) -> None:
    """Puts weight_decay / 2 * sum(v^2) of every kernel into the loss, as tensorflow/tpu main.py does.

    (There of every variable outside batch norm, hence of the few biases too.)
    That is not the decoupled decay of AdamW: RMSProp scales it with the gradient, which makes the same number some
    hundred times as strong.
    """
    penalty = keras.regularizers.L2(weight_decay / 2) if weight_decay else None
    for variable in variables:
        variable.regularizer = None if variable.name in NOT_DECAYED else penalty
