"""A training of a comparison: by the Trainer's own code, on the share asked for, and never twice."""

from dataclasses import replace
from unittest import mock

import keras
import numpy as np
import pytest

from tests.trainer.digits import make_job
from trainer.compound.backbones import BACKBONES, build_backbone, built_macs
from trainer.compound.candidates import Candidate, time_candidates
from trainer.compound.trainings import outcome_of
from trainer.cost import network_cost
from trainer.efficientnet import build_efficientnet
from trainer.settings import ModelSettings

pytestmark = pytest.mark.network

TINY = ModelSettings(phi=0.0, base_width=0.2, base_depth=0.3, image_size=32)


def make_contender(folder, backbone="", **config) -> Candidate:
    job = make_job(folder, batch_size=16)
    shares = {"data_fraction": 0.5, "backbone": backbone, "latency": False}
    job = replace(job, config={**job.config, "model": TINY.model_dump(), **shares, **config})
    cost = network_cost(TINY.chosen_variant, 3)
    return Candidate(backbone or "tiny", "test", job, len(cost.layers), cost.macs)


def test_an_outcome_is_measured_once(tmp_path):
    candidate = make_contender(tmp_path, latency=True)
    outcome = outcome_of(candidate.training(seed=7, epochs=8), str(tmp_path / "kept"))
    cost = network_cost(TINY.chosen_variant, 3)
    assert (outcome.macs, outcome.parameters) == (cost.macs, cost.parameters)
    assert outcome.val_loss < 1.0  # guessing among three classes gives 1.1
    assert outcome.latency_ms > 0
    assert outcome.val_images == 137
    assert 150 < outcome.images < 250  # half of 400, chosen by content and so not to the image
    with mock.patch("trainer.compound.trainings.Training", side_effect=AssertionError("trained again")):
        assert outcome_of(candidate.training(seed=7, epochs=8), str(tmp_path / "kept")) == outcome
        with pytest.raises(AssertionError, match="trained again"):
            outcome_of(candidate.training(seed=8, epochs=4), str(tmp_path / "kept"))


@pytest.mark.slow
def test_a_few_steps_foretell_how_long_a_training_takes(tmp_path):
    candidate = make_contender(tmp_path)
    (timing,) = time_candidates([candidate])
    outcome = outcome_of(candidate.training(seed=7, epochs=6), str(tmp_path / "kept"))
    assert 0.3 < candidate.seconds([timing], 6) / outcome.seconds < 3


@pytest.mark.slow
def test_a_network_of_keras_is_trained_by_the_same_recipe(tmp_path):
    candidate = make_contender(tmp_path, backbone="MobileNetV3Small", data_fraction=1.0)
    outcome = outcome_of(candidate.training(seed=7, epochs=6), str(tmp_path / "kept"))
    assert outcome.val_accuracy > 0.5


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV2",
        "MobileNetV3Small",
        *(pytest.param(n, marks=pytest.mark.slow) for n in BACKBONES if n[0] == "R" or n[-1] == "e"),
    ],
)
def test_networks_of_keras_cost_what_is_known_of_them(name):
    model = build_backbone(name, 1000, 224, batch_norm_momentum=0.9)
    assert built_macs(model) / 1e9 == pytest.approx(BACKBONES[name].gmacs, rel=0.05)
    assert len(model.layers) == pytest.approx(BACKBONES[name].layers, rel=0.05)
    assert {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)} == {0.9}


def test_multiply_adds_of_a_built_network_are_counted_as_without_building():
    model = build_efficientnet(TINY.chosen_variant, 3, seed=0)
    assert built_macs(model) == network_cost(TINY.chosen_variant, 3).macs


@pytest.mark.parametrize(("name", "low", "high"), [("MobileNetV2", -1.0, 1.0), ("MobileNetV3Small", -1.0, 1.0)])
def test_networks_of_keras_see_pixels_as_their_weights_expect(name, low, high):
    model = build_backbone(name, 3, 32)
    scaled = next(layer for layer in model.layers if layer.name in ("preprocessing", "rescaling"))
    white, black = (np.asarray(scaled(np.full((1, 32, 32, 3), level, "float32"))) for level in (255, 0))
    assert (black.min(), white.max()) == pytest.approx((low, high))
