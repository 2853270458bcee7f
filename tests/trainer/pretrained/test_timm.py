"""Files with timm's names: what is read, what is refused and why."""

import json
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.lite_weights import ask_ours, ask_peer, converted
from benchmarks.torch_environment import Unavailable, torch_python
from trainer.efficientnet import build_efficientnet
from trainer.scaling import Variant
from trainer.weights import load_weights

pytestmark = pytest.mark.network

TINY = Variant("b0", 0.25, 0.25, 32, 0.2)  # B0's stages, a block each, of few channels
TINY_LITE = Variant("lite0", 0.25, 0.25, 32, 0.2, lite=True)
STAGES = 7


def tensors(model, squeezes=True):
    """A model's weights as timm has them; the names are written out here as timm's own networks have them."""
    found = {}

    def conv(layer, name, depthwise=False):
        kernel = model.get_layer(layer).weights[0].numpy()
        found[f"{name}.weight"] = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)).copy()
        if len(model.get_layer(layer).weights) > 1:
            found[f"{name}.bias"] = model.get_layer(layer).weights[1].numpy()

    def norm(layer, name):
        gamma, beta, mean, variance = model.get_layer(layer).get_weights()
        values = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
        found.update({f"{name}.{weight}": value for weight, value in values.items()})
        found[f"{name}.num_batches_tracked"] = np.array(3)

    conv("stem_conv", "conv_stem")
    norm("stem_bn", "bn1")
    for stage in range(STAGES):
        ours, timm = f"block{stage + 1}a", f"blocks.{stage}.0"
        if stage:
            conv(f"{ours}_expand_conv", f"{timm}.conv_pw")
            norm(f"{ours}_expand_bn", f"{timm}.bn1")
        conv(f"{ours}_dwconv", f"{timm}.conv_dw", depthwise=True)
        norm(f"{ours}_bn", f"{timm}.bn{2 if stage else 1}")
        if squeezes:
            conv(f"{ours}_se_reduce", f"{timm}.se.conv_reduce")
            conv(f"{ours}_se_expand", f"{timm}.se.conv_expand")
        conv(f"{ours}_project_conv", f"{timm}.conv_pwl" if stage else f"{timm}.conv_pw")
        norm(f"{ours}_project_bn", f"{timm}.bn{3 if stage else 2}")
    conv("top_conv", "conv_head")
    norm("top_bn", "bn2")
    kernel, bias = model.get_layer("predictions").get_weights()
    return {**found, "classifier.weight": kernel.T.copy(), "classifier.bias": bias}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file of timm's names, of a network with values that no initialiser gives, and that network."""
    model = build_efficientnet(TINY, 3, seed=1)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    path = tmp_path_factory.mktemp("timm") / "tf_efficientnet_b0.safetensors"
    save_file(tensors(model), path)
    return path, model


def write_like(saved, path, change=None, metadata=None):
    """The same file elsewhere, its tensors changed."""
    content = load_file(saved[0])
    if change:
        change(content)
    save_file(content, path, metadata)
    return path


@pytest.mark.parametrize("variant", [TINY, TINY_LITE])
def test_every_weight_finds_its_layer(saved, photos, tmp_path, variant):
    if variant.lite:
        other = build_efficientnet(variant, 3, seed=1)
        path = tmp_path / "tf_efficientnet_lite0.safetensors"
        save_file(tensors(other, squeezes=False), path)
    else:
        path, other = saved
    model = build_efficientnet(variant, 3, seed=2)
    result = load_weights(model, path, variant)
    assert result.skipped is None
    assert result.layers == len([layer for layer in model.layers if layer.weights])
    np.testing.assert_array_equal(model(photos(32)), other(photos(32)))


def test_other_classes_keep_their_classifier(saved):
    model = build_efficientnet(TINY, 5, seed=2)
    before = model.get_layer("predictions").get_weights()
    assert "classifier" in load_weights(model, saved[0], TINY).skipped
    np.testing.assert_array_equal(model.get_layer("predictions").get_weights()[0], before[0])
    np.testing.assert_array_equal(model.get_layer("top_bn").get_weights(), saved[1].get_layer("top_bn").get_weights())


def test_what_is_missing_or_too_much_is_named_and_nothing_is_loaded(saved, tmp_path):
    model = build_efficientnet(TINY, 3, seed=2)
    before = model.get_weights()
    for change, named in (
        (lambda content: content.pop("blocks.1.0.conv_dw.weight"), "block2a_dwconv"),
        (lambda content: content.pop("bn1.running_var"), "layer stem_bn"),
        (lambda content: content.update({"blocks.1.1.conv_dw.weight": np.ones(3)}), "blocks.1.1.conv_dw.weight"),
        (lambda content: content.update({"conv_stem.weight": np.ones((4, 3, 3, 3))}), "layer stem_conv"),
        (lambda content: content["bn1.bias"].fill(np.nan), "bn1.bias has values that are not finite"),
        (lambda content: content.update({"bn1.bias": np.ones(8, np.int8)}), "bn1.bias is of type I8"),
    ):
        path = write_like(saved, tmp_path / "tf_efficientnet_b0.safetensors", change)
        with pytest.raises(ValueError, match=named):
            load_weights(model, path, TINY)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_network_that_pads_otherwise_is_refused_by_name(saved, tmp_path):
    model = build_efficientnet(TINY, 3)
    for name, reason in (
        ("efficientnet_b0.safetensors", "pads symmetrically.*take tf_efficientnet_b0"),
        ("tf_efficientnet_b1.safetensors", "is of tf_efficientnet_b1, expected tf_efficientnet_b0"),
        ("model.safetensors", "does not say which network it is of"),
    ):
        with pytest.raises(ValueError, match=reason):
            load_weights(model, write_like(saved, tmp_path / name), TINY)
    stated = write_like(
        saved, tmp_path / "tf_efficientnet_b0.safetensors", metadata={"architecture": "efficientnet_b0"}
    )
    with pytest.raises(ValueError, match="pads symmetrically"):
        load_weights(model, stated, TINY)


def test_the_config_of_the_hub_says_the_network_and_its_pixels(saved, tmp_path):
    path = write_like(saved, tmp_path / "model.safetensors")
    config = {"architecture": "tf_efficientnet_b0", "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.25, 0.5, 0.5]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = build_efficientnet(TINY, 3)
    load_weights(model, path, TINY)
    mean, variance, _ = model.get_layer("normalization").get_weights()
    np.testing.assert_allclose(mean, 0.5)
    np.testing.assert_allclose(variance, [0.0625, 0.25, 0.25])


def test_a_damaged_file_is_named(saved, tmp_path):
    path = tmp_path / "tf_efficientnet_b0.safetensors"
    for content in (b"", b"\xff" * 64, saved[0].read_bytes()[:-100], b"\x02\0\0\0\0\0\0\0{}"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"tf_efficientnet_b0"):
            load_weights(build_efficientnet(TINY, 3), path, TINY)


@pytest.fixture(scope="module")
def torch_peers():
    """Skips where PyTorch cannot be installed: it is downloaded the first time."""
    try:
        return torch_python()
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["lite0", "lite1", "lite2"])
def test_published_lite_weights_answer_as_on_pytorch(torch_peers, variant, tmp_path, photos):
    weights = converted(variant, tmp_path)
    size = build_efficientnet(variant, 10).input_shape[1]
    pixels = np.concatenate([photos(size), photos(size)[:, :, ::-1], photos(size)[:, ::-1]])
    np.save(tmp_path / "pixels.npy", pixels)
    ask_peer("answer", variant, str(weights), str(tmp_path / "pixels.npy"), str(tmp_path / "answers.npz"))
    ours = ask_ours(variant, weights, pixels)
    for logits in np.load(tmp_path / "answers.npz").values():
        np.testing.assert_allclose(ours, logits, atol=1e-3)
        np.testing.assert_array_equal(ours.argmax(1), logits.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["b0", "b1", "lite3", "lite4"])
def test_timms_own_networks_answer_alike(torch_peers, variant, tmp_path):
    weights = tmp_path / f"tf_efficientnet_{variant}.safetensors"
    ask_peer("random", f"tf_efficientnet_{variant}", str(weights))
    answers = np.load(f"{weights}.npz")
    ours = ask_ours(variant, weights, answers["pixels"], classes=10)
    np.testing.assert_allclose(ours, answers["logits"], atol=1e-3)
