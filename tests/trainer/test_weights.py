import hashlib
import logging

import h5py
import numpy as np
import pytest

from trainer.efficientnet import build_efficientnet
from trainer.layers import IMAGENET_MEAN, IMAGENET_STDDEV
from trainer.pretrained import obtain as obtain_module
from trainer.pretrained.obtain import published_file
from trainer.scaling import Variant
from trainer.weights import load_weights

pytestmark = pytest.mark.network

TINY = Variant("tiny", 0.25, 0.25, 32, 0.2)


def _write_as_published(model, path, *, include_top=True):
    """Write a keras.applications model as the published files are: Keras 2's layout, and names ending in ":0".

    Their normalisation holds ImageNet's standard deviation in the place of the variance (tensorflow#49930).
    """
    layers = [layer for layer in model.layers if include_top or layer.name != "predictions"]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["keras_version"] = b"2.4.0"
        for layer in layers:
            group = file.create_group(layer.name)
            names = []
            for weight in layer.weights:
                kernel = "depthwise_kernel" if layer.name.endswith("dwconv") else "kernel"
                names.append(f"{layer.name}/{kernel if weight.name == 'kernel' else weight.name}:0".encode())
                group[names[-1].decode()] = weight.numpy()
            group.attrs["weight_names"] = names
            if layer.name.startswith("normalization"):
                group[names[0].decode()][:] = IMAGENET_MEAN
                group[names[1].decode()][:] = IMAGENET_STDDEV


@pytest.fixture(scope="module")
def published(pair, tmp_path_factory):
    """Files with and without the classifier, of Keras' B0 with random weights, and that model."""
    folder = tmp_path_factory.mktemp("published")
    peer = pair("b0").peer
    rng = np.random.default_rng(0)
    for weight in peer.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    _write_as_published(peer, folder / "efficientnetb0.h5")
    _write_as_published(peer, folder / "efficientnetb0_notop.h5", include_top=False)
    return folder, peer


def _assert_equal_but_classifier(model, peer):
    for layer in peer.layers:
        if layer.weights and not layer.name.startswith(("normalization", "predictions")):
            for ours, theirs in zip(model.get_layer(layer.name).weights, layer.weights, strict=True):
                np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_published_layout_loads_with_the_classifier(published, pair, photos):
    folder, peer = published
    model = pair("b0").ours
    result = load_weights(model, folder / "efficientnetb0.h5")
    assert result.skipped is None
    assert result.layers == len([layer for layer in model.layers if layer.weights])
    _assert_equal_but_classifier(model, peer)
    for ours, theirs in zip(model.get_layer("predictions").weights, peer.get_layer("predictions").weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    # The published graph is (x / 255 - mean) / sqrt(std) / sqrt(std): this model's normalisation must agree.
    normalized = model.get_layer("normalization")(photos(224))
    np.testing.assert_allclose(
        normalized, (photos(224) / 255.0 - IMAGENET_MEAN) / IMAGENET_STDDEV, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("file", ["efficientnetb0.h5", "efficientnetb0_notop.h5"])
def test_another_number_of_classes_keeps_its_classifier_and_says_so(published, file, caplog):
    folder, peer = published
    model = build_efficientnet("b0", 5, image_size=32, seed=1)
    before = model.get_layer("predictions").get_weights()
    with caplog.at_level(logging.WARNING):
        result = load_weights(model, folder / file)
    assert "classifier" in result.skipped and "(1280, 5)" in result.skipped
    assert result.skipped in caplog.text
    _assert_equal_but_classifier(model, peer)
    for old, new in zip(before, model.get_layer("predictions").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_our_own_files_load(photos, tmp_path, suffix):
    saved = build_efficientnet(TINY, 3, seed=1)
    path = tmp_path / f"model{suffix}"
    saved.save_weights(path) if suffix == ".weights.h5" else saved.save(path)
    model = build_efficientnet(TINY, 3, seed=2)
    assert load_weights(model, str(path)).skipped is None
    np.testing.assert_array_equal(model(photos(32)), saved(photos(32)))
    headless = build_efficientnet(TINY, include_top=False)
    assert "none" in load_weights(headless, path).skipped


def test_keras_own_weights_file_loads(published, pair, tmp_path):
    _, peer = published
    peer.save_weights(tmp_path / "peer.weights.h5")
    load_weights(pair("b0").ours, tmp_path / "peer.weights.h5")
    _assert_equal_but_classifier(pair("b0").ours, peer)


def test_none_loads_nothing():
    model = build_efficientnet(TINY, 3, seed=1)
    before = model.get_weights()
    assert load_weights(model, "none").layers == 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_imagenet_is_taken_from_keras_cache(published, monkeypatch, tmp_path):
    folder, peer = published
    data = (folder / "efficientnetb0_notop.h5").read_bytes()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnetb0_notop.h5").write_bytes(data)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(obtain_module.WEIGHTS_HASHES, "b0", ("", hashlib.md5(data).hexdigest()))
    model = build_efficientnet("b0", 5, image_size=32)
    result = load_weights(model, "imagenet", "b0")
    assert result.source.endswith("models/efficientnetb0_notop.h5")
    _assert_equal_but_classifier(model, peer)


def test_a_custom_variant_has_no_published_weights():
    with pytest.raises(ValueError, match=r"published for phi1\.5: expected one of b0, b1"):
        published_file("phi1.5")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_weights(build_efficientnet(TINY, 3), tmp_path / "nowhere.h5")


def test_a_file_that_is_no_weight_file_is_refused(tmp_path):
    (tmp_path / "notes.h5").write_text("hello")
    (tmp_path / "notes.keras").write_text("hello")
    for name in ("notes.h5", "notes.keras"):
        with pytest.raises(ValueError, match="is not a weight file"):
            load_weights(build_efficientnet(TINY, 3), tmp_path / name)


def test_another_variants_file_changes_nothing(tmp_path):
    build_efficientnet(Variant("deep", 0.25, 0.5, 32, 0.2), 3).save_weights(tmp_path / "deep.weights.h5")
    build_efficientnet(Variant("wide", 0.5, 0.25, 32, 0.2), 3).save_weights(tmp_path / "wide.weights.h5")
    model = build_efficientnet(TINY, 3)
    before = model.get_weights()
    with pytest.raises(ValueError, match="another variant"):
        load_weights(model, tmp_path / "deep.weights.h5")
    with pytest.raises(ValueError, match="instead of"):
        load_weights(model, tmp_path / "wide.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
