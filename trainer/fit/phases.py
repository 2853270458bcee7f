"""The phases of a training: the classifier alone, then the whole network; without a head phase just the latter."""

from dataclasses import dataclass

import keras

from trainer.learning_rate import compile_model, learning_rate_schedule
from trainer.recipes import Recipe
from trainer.weights import CLASSIFIER


@dataclass(frozen=True)
class Phase:
    """Epochs `start` to `end` (counted from 0, `end` not included) with the same trainable layers."""

    start: int
    end: int
    head_only: bool


def phases_of(recipe: Recipe, epochs: int) -> list[Phase]:
    """The phases of `epochs`; each has at least one epoch, as long as there are two."""
    head_epochs = min(max(round(recipe.head_share * epochs), 1), epochs - 1) if recipe.head_share else 0
    phases = [Phase(0, head_epochs, True), Phase(head_epochs, epochs, False)]
    return [phase for phase in phases if phase.start < phase.end]


def compile_phase(
    model: keras.Model, phase: Phase, recipe: Recipe, *, batch_size: int, steps_per_epoch: int, xla: bool
) -> None:
    """Freezes what the phase leaves alone and gives the model a new optimiser with the phase's own schedule.

    A frozen batch norm runs in inference mode. Under a recipe with a head phase it stays so to the end: the statistics
    of small fine-tuning batches would spoil what the published weights rely on.
    """
    for layer in model.layers:
        is_batch_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name == CLASSIFIER or not (phase.head_only or (is_batch_norm and recipe.head_share))
    learning_rate = learning_rate_schedule(
        recipe,
        batch_size=batch_size,
        epochs=phase.end - phase.start,
        steps_per_epoch=steps_per_epoch,
        peak=recipe.head_learning_rate if phase.head_only else None,
    )
    compile_model(model, recipe, learning_rate, xla=xla)
