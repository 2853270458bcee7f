"""Fine-tuning on the features of a frozen network: computed once, equal to the network's own; and what comes after."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from components.common import files
from tests.trainer.digits import RATES, make_job, scans
from tests.trainer.search_digits import TINY, build_tiny_efficientnet, run_search, tiny_networks
from trainer import features
from trainer.efficientnet import build_efficientnet
from trainer.feature_set import FeatureSet, NotFeatures, read_features
from trainer.features import FeatureJob
from trainer.fit.loop import Training
from trainer.fit.phases import phases_of
from trainer.fit.unfreezing import LEAST_IMAGES_PER_CLASS, decide
from trainer.input_data import ContentShare, eval_batches, open_split
from trainer.settings import HEAD_EPOCHS, TrainSettings, TransformSettings, TuneSettings

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of a tiny EfficientNet whose batch norm knows the scans: its random features tell the digits apart."""
    model = build_efficientnet(TINY, 3, batch_norm_momentum=0.5, seed=3)
    for _ in range(5):
        model(scans()[0][:64].astype(np.float32), training=True)
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    model.save_weights(path)
    return str(path)


@pytest.fixture(scope="module")
def computed(weights, tmp_path_factory):
    """The features of both splits of a job, as the component has them written; the job and their folder."""
    folder = tmp_path_factory.mktemp("computed")
    job = make_job(folder, weights=weights, recipe="finetune", epochs=0)
    write(job, folder / "features")
    return with_features(job, folder / "features")


def write(job, root) -> dict[str, int]:
    patterns = {"train": job.train_files[0], "val": job.val_files[0]}
    splits = {split: (pattern, str(root / f"Split-{split}")) for split, pattern in patterns.items()}
    config = {"model": job.config["model"], "transform": TransformSettings().model_dump()}
    with mock.patch("trainer.features.build_efficientnet", build_tiny_efficientnet):
        return features.compute(FeatureJob(splits, config))


def with_features(job, root, **train):
    settings = {**job.config["train"], **train}
    return replace(job, config={**job.config, "features": str(root), "train": settings})


def train(job) -> tuple[Training, object]:
    with tiny_networks():
        training = Training(job, RATES)
        return training, training.run()


def test_features_are_what_the_network_sees_in_evaluation(computed, weights):
    found = read_features(f"{computed.features_root}/Split-val", 3)
    split = open_split(computed.val_files, computed.image_size, 3)
    network = build_efficientnet(TINY, 3)
    network.load_weights(weights)
    pooled = features.keras.Model(network.inputs, network.get_layer("avg_pool").output)
    batches = list(eval_batches(split, 50))
    expected = np.concatenate([pooled(images, training=False) for images, _ in batches])
    np.testing.assert_allclose(found.features, expected, rtol=2e-3, atol=1e-3)  # stored in half precision
    np.testing.assert_array_equal(found.labels, np.concatenate([np.argmax(labels, axis=1) for _, labels in batches]))


def test_mirror_images_are_rows_of_their_own_of_the_same_image(computed, tmp_path):
    splits = {split: (computed.train_files[0], str(tmp_path / split)) for split in ("train", "val")}
    config = {"model": computed.config["model"], "transform": TransformSettings().model_dump(), "mirrored": True}
    with mock.patch("trainer.features.build_efficientnet", build_tiny_efficientnet):
        assert features.compute(FeatureJob(splits, config)) == {"train": 400, "val": 400}
    both, plain = (read_features(str(tmp_path / split), 3) for split in ("train", "val"))
    assert (len(both), both.images, len(plain)) == (800, 400, 400)
    np.testing.assert_array_equal(both.features[:400], plain.features)
    assert np.abs(both.features[400:] - plain.features).max() > 0.01
    np.testing.assert_array_equal(both.keys[:400], both.keys[400:])
    half = both.share(ContentShare(0.0, 0.5, 1))
    np.testing.assert_array_equal(half.labels[: half.images], half.labels[half.images :])


def test_a_share_of_the_features_is_that_of_the_images(computed):
    share = ContentShare(0.0, 0.3, 7)
    found = read_features(f"{computed.features_root}/Split-train", 3).share(share)
    split = open_split(computed.train_files, computed.image_size, 3, share)
    assert tuple(np.bincount(found.labels, minlength=3)) == split.class_counts


def test_the_head_alone_makes_a_network_of_that_accuracy(computed):
    training, model = train(computed)
    assert training.epochs == 0
    split = training.setup.val_split
    right = total = 0
    for images, labels in eval_batches(split, 50):
        right += int(np.sum(np.argmax(model(images), axis=1) == np.argmax(labels, axis=1)))
        total += len(images)
    assert training.result["val_accuracy"] == pytest.approx(right / total, abs=1.5 / total)
    assert right / total > 0.6  # of three classes, by features that nothing was trained on
    again, _ = train(computed)
    assert again.result == pytest.approx(training.result, rel=1e-3)


def test_the_network_is_kept_only_if_it_is_better_than_its_head(computed, weights):
    spoilt = with_features(computed, computed.features_root, epochs=1, learning_rate=0.05)
    head, _ = train(computed)
    training, model = train(spoilt)
    assert training.result["val_loss"] == pytest.approx(head.result["val_loss"], rel=0.01)
    network = build_efficientnet(TINY, 3)
    network.load_weights(weights)
    kernel = network.get_layer("block7a_project_conv").get_weights()[0]
    np.testing.assert_array_equal(model.get_layer("block7a_project_conv").get_weights()[0], kernel)


def test_the_top_blocks_train_before_the_others_and_batch_norm_never(computed, weights):
    before = build_efficientnet(TINY, 3)
    before.load_weights(weights)
    plain = {"random_crop": 0, "horizontal_flip": False}
    rates = {"learning_rate": 0.003, "head_share": 0.5, "augment": plain}
    job = with_features(computed, computed.features_root, epochs=8, **rates)
    with mock.patch("trainer.fit.loop.phases_of", lambda *arguments: phases_of(*arguments)[:1]):
        training, model = train(job)
    if training.keeps_head_alone:
        pytest.fail("the top blocks' training did not lower the loss: raise the epochs of this test")
    changed = {
        layer.name
        for layer in model.layers
        if any(
            not np.array_equal(new, old)
            for new, old in zip(layer.get_weights(), before.get_layer(layer.name).get_weights(), strict=True)
        )
    }
    assert "block7a_project_conv" in changed and "predictions" in changed
    assert all(name.startswith(("block6", "block7", "top_", "predictions")) for name in changed)
    assert not [name for name in changed if name.endswith("bn")]


def test_a_search_trains_heads_and_leaves_drop_connect_to_the_training(computed):
    tune = TuneSettings(trials=5, label_smoothing=None).model_dump()
    tuner = run_search(replace(computed, config={**computed.config, "tune": tune}))
    records = tuner.records()
    assert len(records) == 5
    ended = [record for record in records if record.status == "completed"]  # others were stopped as hopeless
    assert len(ended) >= 3
    assert all(len(record.history) == HEAD_EPOCHS for record in ended)
    (best,) = tuner.get_best_hyperparameters()
    assert set(best.values) == {"dropout_rate", "head_learning_rate"}
    assert len({record.score for record in records}) == 5, "every trial has rates of its own"


def test_images_and_minutes_decide_how_much_of_the_network_trains():
    def some(images: int) -> FeatureSet:
        return FeatureSet(np.zeros((images, 4), np.float32), np.zeros(images, int), np.zeros(images, int), 0.02)

    settings = TrainSettings(recipe="finetune", epochs=10)
    assert decide(settings, some(1000), 10).epochs == 10
    few = decide(settings, some(LEAST_IMAGES_PER_CLASS * 10 - 1), 10)
    assert few.epochs == 0 and "images a class" in few.reason
    short = decide(settings.model_copy(update={"minutes": 5.0}), some(1000), 10)
    assert 0 < short.epochs < 10 and "train.minutes is 5" in short.reason
    assert decide(settings.model_copy(update={"minutes": 0.5}), some(1000), 10).epochs == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", "wrong labels"])
def test_damaged_features_are_named(computed, tmp_path, content):
    source = files.read_bytes(f"{computed.features_root}/Split-val/features.npz")
    (tmp_path / "features.npz").write_bytes(source if isinstance(content, str) else content)
    with pytest.raises(NotFeatures, match=r"features\.npz"):
        read_features(str(tmp_path), 2 if isinstance(content, str) else 3)
