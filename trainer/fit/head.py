"""The classifier alone, trained on the features that the frozen network gave once: seconds instead of epochs."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule
from numpy.typing import NDArray

from trainer.efficientnet import add_classifier
from trainer.feature_set import FeatureSet
from trainer.fit.phases import compile_model
from trainer.learning_rate import learning_rate_schedule
from trainer.recipes import Recipe
from trainer.settings import HEAD_EPOCHS
from trainer.weights import CLASSIFIER

BATCH = 32


def build_head(channels: int, num_classes: int, dropout_rate: float, seed: int) -> keras.Model:
    """The end of `build_efficientnet`'s network, from features (batch, channels) to logits (batch, classes)."""
    features = keras.Input((channels,), name="features")
    return keras.Model(features, add_classifier(features, num_classes, dropout_rate, seed), name="head")


def head_schedule(
    recipe: Recipe, steps_per_epoch: int, epochs: int = HEAD_EPOCHS, peak: float | None = None
) -> LearningRateSchedule:
    """The recipe's schedule over a head's training; its `head_learning_rate` is the peak, unless another is given."""
    peak = recipe.head_learning_rate if peak is None else peak
    return learning_rate_schedule(recipe, batch_size=BATCH, epochs=epochs, steps_per_epoch=steps_per_epoch, peak=peak)


def compile_head(head: keras.Model, recipe: Recipe, schedule: LearningRateSchedule, steps_per_epoch: int) -> None:
    """Makes a head ready to train; an epoch, of so many steps, is a single call of TensorFlow's."""
    compile_model(head, recipe, schedule)
    head.steps_per_execution = steps_per_epoch


def head_steps(found: FeatureSet) -> int:
    """Steps of an epoch: all images, the last few in a batch of the next epoch."""
    return max(len(found) // min(BATCH, len(found)), 1)


def head_batches(
    found: FeatureSet, num_classes: int, seed: int, balanced: bool, smoothing: float = 0.0
) -> tf.data.Dataset:
    """Endless shuffled batches of features and labels; `balanced` adds weights that make all classes equal."""
    smooth = np.float32(smoothing)
    targets = np.eye(num_classes, dtype=np.float32)[found.labels] * (1 - smooth) + smooth / num_classes
    arrays: tuple[NDArray[np.float32], ...] = (found.features, targets)
    if balanced:
        counts = np.maximum(np.bincount(found.labels, minlength=num_classes), 1)
        arrays = (*arrays, (len(found) / (num_classes * counts)).astype(np.float32)[found.labels])
    size = min(BATCH, len(found))
    return tf.data.Dataset.from_tensor_slices(arrays).shuffle(len(found), seed=seed).repeat().batch(size)


def fit_head(
    head: keras.Model,
    train: tf.data.Dataset,
    steps_per_epoch: int,
    val: FeatureSet,
    epochs: int = HEAD_EPOCHS,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Trains a compiled head; returns the logs of each epoch."""
    targets = np.eye(head.output_shape[-1], dtype=np.float32)[val.labels]
    history: Mapping[str, list[float]] = head.fit(
        train,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=tf.data.Dataset.from_tensors((val.features, targets)),
        callbacks=list(callbacks),
        shuffle=False,  # the batches are
        verbose=0,
    ).history
    return [{name: float(values[epoch]) for name, values in history.items()} for epoch in range(len(history["loss"]))]


def train_head(
    train: FeatureSet,
    val: FeatureSet,
    num_classes: int,
    recipe: Recipe,
    *,
    dropout_rate: float,
    seed: int,
    balanced: bool,
) -> tuple[list[NDArray[np.float32]], list[dict[str, float]]]:
    """Trains a head; returns the classifier's weights, and the logs of each epoch.

    Args:
      train: to train on.
      val: to watch.
      num_classes: width of the classifier.
      recipe: of the training.
      dropout_rate: before the classifier.
      seed: of initial weights, dropout and order.
      balanced: whether all classes weigh the same.
    """
    head = build_head(train.features.shape[1], num_classes, dropout_rate, seed)
    steps = head_steps(train)
    compile_head(head, recipe, head_schedule(recipe, steps), steps)
    logs = fit_head(head, head_batches(train, num_classes, seed, balanced), steps, val)
    return head.get_layer(CLASSIFIER).get_weights(), logs
