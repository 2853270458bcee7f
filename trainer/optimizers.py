"""RMSprop and AdamW whose update is one fused kernel a variable where TensorFlow is the backend.

In every other respect they are Keras' own optimisers: schedules, clipping, decoupled weight decay with exclusions,
moving averages, gradient accumulation, checkpoints. Keras' own update runs on the other backends, under distribution
strategies, and for what the kernels do not cover (variables other than float32, `centered`, `amsgrad`).
EfficientNet-B0 has 213 trainable variables, for each of which Keras' update adds some 20 operations to the graph;
these add one, and two more each for weight decay and moving average.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import ops

from trainer.kernels import FUSED, Tensor, descend

if FUSED:
    import tensorflow as tf


class _Scalars(NamedTuple):
    """A step's scalars as tensors, made once for all variables; stands in for the learning rate."""

    learning_rate: Tensor
    decay: Tensor  # what weight decay takes from a variable, as a fraction
    constants: dict[str, Tensor]  # the kernel's other arguments


class _FusedOptimizer(keras.optimizers.Optimizer):
    """What the fused optimisers have in common; stands before Keras' own class in the bases."""

    def covered(self) -> bool:
        """Whether the kernel does what this optimiser is configured to do."""
        raise NotImplementedError

    def constants(self) -> dict[str, Tensor]:
        """Return the kernel's arguments that are the same for all variables."""
        raise NotImplementedError

    def apply_kernel(
        self, gradient: Tensor, variable: Tensor, learning_rate: Tensor, constants: dict[str, Tensor]
    ) -> None:
        """Update a variable, and its accumulators, by one kernel."""
        raise NotImplementedError

    def reset(self) -> None:
        """Bring the state back to that of a new optimiser, in place; the learning rate stays as it is."""
        for variable in self.variables:
            if variable is not self._learning_rate:
                variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor | _Scalars) -> None:
        """Update one variable; with `_Scalars` for the learning rate by the kernel, otherwise as Keras does."""
        if not isinstance(learning_rate, _Scalars):
            super().update_step(gradient, variable, learning_rate)
            return
        scalars = learning_rate
        if self.weight_decay is not None and self._use_weight_decay(variable):
            descend(variable, scalars.decay, variable)
        if variable.dtype == tf.float32 and isinstance(gradient, tf.Tensor):
            self.apply_kernel(tf.cast(gradient, tf.float32), variable, scalars.learning_rate, scalars.constants)
        else:
            super().update_step(gradient, variable, scalars.learning_rate)

    # These override Keras' hooks for the whole step. They are private to Keras, but what this module exists
    # for has no public hook; test_optimizers.py fails where Keras changes them.

    def _backend_update_step(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[Tensor], learning_rate: Tensor
    ) -> None:
        if FUSED and tf.distribute.has_strategy():
            self._reduce_and_update(grads, trainable_variables, learning_rate)
            return
        if not self._fused():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        learning_rate = tf.cast(learning_rate, tf.float32)
        scalars = _Scalars(learning_rate, learning_rate * (self.weight_decay or 0.0), self.constants())
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable.value, scalars)

    def _clip_gradients(self, grads: list[Tensor]) -> list[Tensor]:
        if FUSED and tf.distribute.has_strategy():
            return grads  # _reduce_and_update does it
        return super()._clip_gradients(grads)

    def _reduce_and_update(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[Tensor], learning_rate: Tensor
    ) -> None:
        """Keras' update under a strategy, with the clipping after the sum over the replicas.

        Keras clips each replica's share, so that the sum may be as many times too large as there are replicas.
        """
        variables = [variable.value for variable in trainable_variables]
        reduced = self._all_reduce_sum_gradients(list(zip(grads, variables, strict=True)))
        clipped = super()._clip_gradients([gradient for gradient, _ in reduced])
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._distributed_tf_update_step,
            self._distribution_strategy,
            list(zip(clipped, variables, strict=True)),
            learning_rate,
        )

    def _apply_weight_decay(self, variables: Sequence[Tensor]) -> None:
        if not self._fused():  # update_step does it otherwise
            super()._apply_weight_decay(variables)

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Tensor]) -> None:
        if not (self._fused() and self.use_ema):
            super()._update_model_variables_moving_average(trainable_variables)
            return
        # The first step copies the variables, as in Keras.
        share = tf.where(ops.equal(self.iterations, 0), 1.0, 1.0 - self.ema_momentum)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            descend(average.value, share, average.value - variable.value)

    def _fused(self) -> bool:
        # A strategy's variables lie on several devices, each with a handle of its own.
        return FUSED and self.covered() and not tf.distribute.has_strategy()


@keras.saving.register_keras_serializable("trainer")
class RMSprop(_FusedOptimizer, keras.optimizers.RMSprop):
    """RMSProp as the official recipe has it: epsilon inside the root, and mean squares that start at one.

    The defaults are those of the paper (section 5.2) and tensorflow/tpu (utils.py, build_optimizer), whose
    tf.train.RMSPropOptimizer starts the mean squares at one; Keras' own start at zero, which makes the first steps
    larger. The learning rate's default is the official .016 per 256 images.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.016,
        rho: float = 0.9,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        initial_velocity: float = 1.0,
        **kwargs: object,
    ) -> None:
        super().__init__(learning_rate, rho=rho, momentum=momentum, epsilon=epsilon, **kwargs)
        self.initial_velocity = initial_velocity

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Tensor], name: str | list[str], initializer: object = "zeros"
    ) -> Tensor:
        """Create accumulators, the mean squares with their initial value."""
        if name == "velocity":
            initializer = keras.initializers.Constant(self.initial_velocity)
        return super().add_optimizer_variables(trainable_variables, name, initializer)

    def reset(self) -> None:
        """Bring the state back to that of a new optimiser, in place; the learning rate stays as it is."""
        super().reset()
        for velocity in self._velocities:
            velocity.assign(ops.full(velocity.shape, self.initial_velocity))

    def covered(self) -> bool:
        """Whether there is momentum, and no centring."""
        return self.momentum > 0 and not self.centered

    def constants(self) -> dict[str, Tensor]:
        """Return the decay, momentum and epsilon."""
        return {
            "rho": tf.constant(self.rho, tf.float32),
            "momentum": tf.constant(self.momentum, tf.float32),
            "epsilon": tf.constant(self.epsilon, tf.float32),
        }

    def apply_kernel(
        self, gradient: Tensor, variable: Tensor, learning_rate: Tensor, constants: dict[str, Tensor]
    ) -> None:
        """Update the mean square, the momentum and the variable."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=self._velocities[index].value.handle,
            mom=self._momentums[index].value.handle,
            lr=learning_rate,
            grad=gradient,
            **constants,
        )

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {**super().get_config(), "initial_velocity": self.initial_velocity}


@keras.saving.register_keras_serializable("trainer")
class AdamW(_FusedOptimizer, keras.optimizers.AdamW):
    """AdamW with Keras' arguments and defaults."""

    def covered(self) -> bool:
        """Whether this is not the AMSGrad variant."""
        return not self.amsgrad

    def constants(self) -> dict[str, Tensor]:
        """Return the betas, their powers at this step, and epsilon."""
        step = ops.cast(self.iterations, "float32") + 1.0
        beta1, beta2 = tf.constant(self.beta_1, tf.float32), tf.constant(self.beta_2, tf.float32)
        return {
            "beta1": beta1,
            "beta2": beta2,
            "beta1_power": tf.pow(beta1, step),
            "beta2_power": tf.pow(beta2, step),
            "epsilon": tf.constant(self.epsilon, tf.float32),
        }

    def apply_kernel(
        self, gradient: Tensor, variable: Tensor, learning_rate: Tensor, constants: dict[str, Tensor]
    ) -> None:
        """Update both moments and the variable."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=learning_rate,
            grad=gradient,
            **constants,
        )
