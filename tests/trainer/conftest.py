"""Fixtures: real photographs, and each variant built once beside its peer from keras.applications."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from trainer.efficientnet import build_efficientnet
from trainer.layers import IMAGENET_MEAN, IMAGENET_STDDEV

# Sides whose five halvings meet odd sizes, where "same" and explicit padding could differ; small ones, for speed.
SIDES = {"b0": 224, "b1": 95, "b4": 76}
DEFAULT_SIDE = 64


@dataclass
class Pair:
    """A variant with 1,000 classes, as we and as keras.applications build it; either is built when first asked for."""

    variant: str

    @property
    def side(self) -> int:
        return SIDES.get(self.variant, DEFAULT_SIDE)

    @cached_property
    def ours(self) -> keras.Model:
        with self._cheap_kernels():
            return build_efficientnet(self.variant, 1000, image_size=self.side, seed=0)

    @cached_property
    def peer(self) -> keras.Model:
        build = getattr(keras.applications, f"EfficientNet{self.variant.upper()}")
        with self._cheap_kernels():
            return build(weights=None, input_shape=(self.side, self.side, 3), classifier_activation=None)

    def _cheap_kernels(self):
        """Leave out random numbers, 40 % of the building, where only names and shapes are looked at."""
        if self.variant in SIDES:
            return nullcontext()
        return mock.patch.object(
            keras.initializers.VarianceScaling, "__call__", lambda _, shape, dtype=None: np.zeros(shape, dtype)
        )


@pytest.fixture(scope="session")
def pair() -> Callable[[str], Pair]:
    """Return a variant's pair of models; every call gets the same one."""
    return cache(Pair)


@pytest.fixture(scope="session")
def photos() -> Callable[[int], np.ndarray]:
    """Return two photographs of a given side, uint8 (2, side, side, 3)."""
    images = np.stack(load_sample_images().images)
    return cache(lambda side: np.asarray(keras.ops.image.resize(images, (side, side)), "uint8"))


@pytest.fixture
def randomize() -> Callable[[keras.Model], None]:
    """Give a model biases and batch norm variables that no initialiser would, so that a mix-up of them shows."""
    ranges = {
        "gamma": (0.5, 1.5),
        "beta": (-0.2, 0.2),
        "moving_mean": (-0.2, 0.2),
        "moving_variance": (0.5, 1.5),
        "bias": (-0.2, 0.2),
    }

    def apply(model: keras.Model) -> None:
        rng = np.random.default_rng(0)
        for weight in model.weights:
            if weight.name in ranges:
                weight.assign(rng.uniform(*ranges[weight.name], weight.shape))

    return apply


@pytest.fixture
def copy_weights() -> Callable[[keras.Model, keras.Model], None]:
    """Copy a keras.applications model's weights into ours, by layer, and set its normalisation to ImageNet's."""

    def apply(peer: keras.Model, ours: keras.Model) -> None:
        for layer in peer.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.adapt_mean.assign(IMAGENET_MEAN)
                layer.adapt_variance.assign(np.square(IMAGENET_STDDEV))
                layer.finalize_state()
            elif layer.weights:
                ours.get_layer(layer.name).set_weights(layer.get_weights())

    return apply
