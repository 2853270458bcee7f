"""The features step with TFX's artifacts: the real network, every image, and a loss that is named."""

import json

import pytest

from tests.trainer.digits import scans, write_records

pytestmark = pytest.mark.tfx

TINY = {"phi": -8.0, "image_size": 64, "weights": "none"}  # B0 of a quarter of its depth and half of its width


def run(folder, counts, **config):
    """Runs the executor on some scans in two splits; `counts` is what the examples say of themselves."""
    from tfx.types import standard_artifacts

    from components.backbone_features.executor import Executor
    from components.common.artifacts import BackboneFeatures
    from components.common.example_counts import note_counts

    examples, features = standard_artifacts.Examples(), BackboneFeatures()
    examples.uri, features.uri = str(folder / "examples"), str(folder / "features")
    examples.split_names = json.dumps(["train", "val"])
    images, labels = scans()
    for split, (begin, end) in {"train": (0, 20), "val": (20, 25)}.items():
        (folder / "examples" / f"Split-{split}").mkdir(parents=True)
        write_records(folder / "examples" / f"Split-{split}" / "part-0.gz", images[begin:end], labels[begin:end])
    note_counts(examples, counts)
    properties = {
        "features_fn": "trainer.features.features_fn",
        "splits": json.dumps(["train", "val"]),
        "custom_config": json.dumps({"model": TINY, "transform": {"resize": "squash"}, **config}),
    }
    Executor().Do({"examples": [examples]}, {"features": [features]}, properties)
    return features.uri


def test_every_image_has_its_features_and_training_images_those_of_their_mirror_image(tmp_path):
    from trainer.feature_set import read_features

    uri = run(tmp_path, {"train": 20, "val": 5}, mirrored=True)
    train, val = (read_features(f"{uri}/Split-{split}", 3) for split in ("train", "val"))
    assert (len(train), train.images, len(val)) == (40, 20, 5)
    assert train.labels[:20].tolist() == scans()[1][:20].tolist()


def test_a_lost_image_stops_the_step(tmp_path):
    with pytest.raises(RuntimeError, match="5 of 6 of val"):
        run(tmp_path, {"train": 20, "val": 6})
