"""Averaged weights: what is evaluated and exported under the official recipe."""

import keras
import tensorflow as tf

from trainer.fit.callbacks import Logs


class WeightAverage(keras.callbacks.Callback):
    """Keeps an exponential moving average of all weights, and evaluates with it.

    Keras' optimisers average trainable variables only. Batch norm's moving statistics belong to the weights of the
    moment, and under averaged weights they would be wrong; the reference averages them too (tensorflow/tpu utils.py,
    get_ema_vars). The decay at step t is min(decay, (1 + t) / (10 + t)), as with the reference's `num_updates`
    (main.py): the average spans the last ninth of the steps so far, until it spans 1 / (1 - decay) steps. A short run
    thus forgets its initial weights too.

    The averages change places with the weights when an evaluation begins, and back when the next epoch begins.
    Callbacks that look at the model at the end of an epoch, and the caller after the last one, get the averages.

    Args:
      model: built; its float weights are averaged.
      decay: of a long run, such as .9999.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.swapped = False
        self.averaged = [weight for weight in model.weights if weight.dtype == "float32"]
        # From a copy: given TensorFlow's variable, Keras takes it for the new one's own.
        copies = [keras.ops.convert_to_numpy(weight) for weight in self.averaged]
        self.averages = [keras.Variable(copy, trainable=False, name="average") for copy in copies]
        self.updates = keras.Variable(0, dtype="int64", trainable=False, name="updates")
        self._update = tf.function(self._update_all)
        self._swap = tf.function(self._swap_all)

    @property
    def variables(self) -> list[keras.Variable]:
        """All state but `swapped`."""
        return [self.updates, *self.averages]

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves the averages towards the weights."""
        self._update()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Puts the averages into the model."""
        if not self.swapped:
            self._swap()
            self.swapped = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Puts the weights back into the model."""
        if self.swapped:
            self._swap()
            self.swapped = False

    def _update_all(self) -> None:
        self.updates.assign_add(1)
        steps = tf.cast(self.updates.value, tf.float32)
        share = 1.0 - tf.minimum(self.decay, (1.0 + steps) / (10.0 + steps))
        for weight, average in zip(self.averaged, self.averages, strict=True):
            average.assign(average.value + share * (weight.value - average.value))

    def _swap_all(self) -> None:
        for weight, average in zip(self.averaged, self.averages, strict=True):
            kept = tf.identity(weight.value)
            weight.assign(average.value)
            average.assign(kept)
