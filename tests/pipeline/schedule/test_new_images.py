"""What a look at the images tells before a run: spans, what is new, and how far they are from the served model's."""

import datetime
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.profile import FEATURES, kinds, write_profile
from pipeline.schedule.new_images import look_at

DAY = datetime.date(2026, 3, 2)
SIDE = 8  # pixels


def bring(folder: Path, brightness: int, images: int = 30) -> None:
    """Grey images of two classes, no two alike."""
    mixed = np.random.default_rng(brightness)
    for name in ("daisy", "rose"):
        (folder / name).mkdir(parents=True)
        for number in range(images):
            pixels = mixed.integers(brightness - 3, brightness + 4, (SIDE, SIDE), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture
def served(stand_in) -> Path:
    """A served model that was trained on images of half brightness."""
    model = stand_in.folder / "build" / "flowers" / "served" / "1"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"a model")
    counts = {feature: Counter() for feature in FEATURES}
    for name in ("daisy", "rose"):
        for feature, kind in kinds(name, 128 / 255, SIDE, SIDE, "png"):
            counts[feature][kind] += 500
    write_profile(str(model), counts)
    return model


def looked(stand_in):
    coordinator = stand_in.coordinator()
    return look_at(coordinator.config, coordinator.store, DAY)


def test_darker_images_have_drifted_in_brightness_alone(stand_in, served):
    bring(stand_in.folder / "photos" / str(DAY), brightness=64)
    drift = looked(stand_in).drift()
    assert drift["brightness"] > 0.5
    assert max(by for feature, by in drift.items() if feature != "brightness") < 0.05


def test_images_like_those_of_the_served_model_have_not(stand_in, served):
    bring(stand_in.folder / "photos" / str(DAY), brightness=128)
    assert max(looked(stand_in).drift().values()) < 0.05


def test_nobody_can_tell_the_drift_from_a_model_without_a_profile(stand_in, served):
    bring(stand_in.folder / "photos" / str(DAY), brightness=64)
    (served / "assets.extra" / "data_profile.json").unlink()
    assert looked(stand_in).drift() is None


def test_nobody_can_tell_the_drift_of_shards_before_a_run(stand_in, served):
    bring(stand_in.folder / "images", brightness=64)
    (stand_in.folder / "photos" / str(DAY)).mkdir()
    with tarfile.open(stand_in.folder / "photos" / str(DAY) / "0.tar", "w") as shard:
        shard.add(stand_in.folder / "images", arcname="")
    look = looked(stand_in)
    assert (look.drift(), look.new_images) == (None, 1)
