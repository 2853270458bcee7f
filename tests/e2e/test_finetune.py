"""Fine-tuning as a user types it: the features once, the classifier on them, and a pushed model."""

import re

import numpy as np
import pytest

from tests.e2e.user_project import Project
from tests.trainer.digits import scans

pytestmark = [pytest.mark.tfx, pytest.mark.slow]

TINY = ("model.phi=-8", "model.image_size=98", "train.recipe=finetune", "train.epochs=0", "tune.trials=8")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a small B0 whose batch norm has seen the scans: its features tell some digits apart."""
    from trainer.efficientnet import build_efficientnet
    from trainer.settings import ModelSettings

    variant = ModelSettings(phi=-8, image_size=98).chosen_variant
    model = build_efficientnet(variant, 3, batch_norm_momentum=0.5, seed=3)
    for _ in range(5):
        model(scans()[0][:64].astype(np.float32), training=True)
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    model.save_weights(path)
    return path


@pytest.fixture(scope="module")
def own(project, tmp_path_factory):
    return Project(tmp_path_factory.mktemp("finetune"), project.images)


def test_a_run_ends_in_a_pushed_model_and_another_head_reuses_the_features(own, weights):
    settings = (*TINY, f"model.weights={weights}", "evaluate.min_accuracy=0.2", "evaluate.max_accuracy_drop=0.5")
    first = own.effnet("run", overrides=settings)
    assert first.returncode == 0, first.stdout + first.stderr
    assert len(own.served()) == 1
    assert re.search(r"\] BackboneFeatures +\d+ s", first.stdout)

    again = own.effnet("run", overrides=(*settings, "train.label_smoothing=0"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"\] BackboneFeatures +from cache", again.stdout)
    assert re.search(r"\] Trainer +\d+ s", again.stdout)

    weights.write_bytes(weights.read_bytes() + b"\0")  # other weights, other features
    other = own.effnet("run", overrides=settings)
    assert other.returncode == 0, other.stdout + other.stderr
    assert re.search(r"\] BackboneFeatures +\d+ s", other.stdout)
