"""Dropout, and stochastic depth (drop-connect), which drops the branch of a residual block."""

import math
from dataclasses import dataclass

import keras
from keras import ops

from trainer import kernels
from trainer.kernels import Tensor
from trainer.layers import Shape


@dataclass
class _Held:
    """Keeps a variable out of Keras' tracking, which would count it as a weight."""

    variable: keras.Variable


class RandomDrop(keras.layers.Layer):
    """Base of the two layers that drop at random in training, at a rate that may change after tracing.

    The rate is a variable, but no weight: like a seed generator's state it is among `variables`, hence an argument of a
    traced step on every backend, and neither among `weights` nor in weight files. At rate 0 the layer is exactly the
    identity.

    Args:
        rate: fraction dropped, 0 <= rate < 1; what is kept is scaled by 1 / (1 - rate).
        seed: of the layer's random numbers.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._held = _Held(
            keras.Variable(
                _valid_rate(rate), dtype="float32", trainable=False, autocast=False, aggregation="only_first_replica"
            )
        )

    @property
    def rate(self) -> float:
        """Fraction dropped; may be set at any time."""
        return float(ops.convert_to_numpy(self._held.variable))

    @rate.setter
    def rate(self, rate: float) -> None:
        self._held.variable.assign(_valid_rate(rate))

    def reseed(self, seed: int) -> None:
        """Bring the layer's random numbers to the state that a new layer with this seed has."""
        self.seed = seed
        self.seed_generator.state.assign([seed, 0])

    @property
    def variables(self) -> list[keras.Variable]:
        """All state: the seed generator's and the rate."""
        return [*super().variables, self._held.variable]

    def mask_shape(self, inputs: Tensor) -> tuple[int | Tensor, ...]:
        """Shape of the random mask, which is broadcast against the inputs."""
        raise NotImplementedError

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop in training; return the inputs otherwise."""
        if not training:
            return inputs
        rate = ops.convert_to_tensor(self._held.variable)
        shape = self.mask_shape(inputs)
        if kernels.FUSED:
            drawn = kernels.uniform(shape, self.seed_generator.next())
        else:
            drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        kept = drawn >= rate
        return inputs * ops.cast(ops.cast(kept, "float32") / (1.0 - rate), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, object]:
        """Return the arguments, with the present rate."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("trainer")
class Dropout(RandomDrop):
    """Drops single elements; inputs (batch, ...)."""

    def mask_shape(self, inputs: Tensor) -> tuple[int | Tensor, ...]:
        """Return the inputs' shape."""
        shape: tuple[int | Tensor, ...] = ops.shape(inputs)
        return shape


@keras.saving.register_keras_serializable("trainer")
class StochasticDepth(RandomDrop):
    """Drops the whole residual branch of a sample; inputs (batch, height, width, channels).

    Args:
        rate: fraction of samples dropped by this block.
        depth_fraction: the block's place in the network, 0 to 1. `set_regularisation` gives the block
            this share of the network's drop-connect rate.
    """

    def __init__(self, rate: float, depth_fraction: float, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(rate, seed, **kwargs)
        self.depth_fraction = depth_fraction

    def mask_shape(self, inputs: Tensor) -> tuple[int | Tensor, ...]:
        """Return one element a sample."""
        return (ops.shape(inputs)[0], 1, 1, 1)

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {**super().get_config(), "depth_fraction": self.depth_fraction}


def _valid_rate(rate: float) -> float:
    if not (math.isfinite(rate) and 0.0 <= rate < 1.0):
        raise ValueError(f"A drop rate must be at least 0 and below 1, got {rate}.")
    return rate
