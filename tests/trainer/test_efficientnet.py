import keras
import numpy as np
import pytest

from trainer.efficientnet import build_efficientnet, reseed, set_regularisation
from trainer.scaling import Variant, compound_variant
from trainer.stochastic_depth import StochasticDepth

pytestmark = pytest.mark.network

# keras.io/api/applications (total, 1,000 classes); trainable ones as in the KerasHub presets for B0 to B5.
TOTAL = {
    "b0": 5_330_571,
    "b1": 7_856_239,
    "b2": 9_177_569,
    "b3": 12_320_535,
    "b4": 19_466_823,
    "b5": 30_562_527,
    "b6": 43_265_143,
    "b7": 66_658_687,
}
TRAINABLE = {
    "b0": 5_288_548,
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
    "b7": 66_347_960,
}
# Trainable parameters of EfficientNet-Lite, millions: timm's results/results-imagenet.csv.
LITE_MILLIONS = {"lite0": 4.65, "lite1": 5.42, "lite2": 6.09, "lite3": 8.20, "lite4": 13.01}
# Building all eight peers takes half a minute: these wait for the full tests.
SLOW_VARIANTS = [pytest.param(variant, marks=pytest.mark.slow) for variant in ("b2", "b3", "b5", "b6")]


def _count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.fixture(scope="module")
def small():
    """A network of a few narrow blocks, for what does not depend on size."""
    return build_efficientnet(Variant("tiny", 0.25, 0.5, 32, 0.2), 3, seed=7)


@pytest.mark.parametrize("variant", TOTAL)
def test_parameter_counts_are_the_published_ones(pair, variant):
    model = pair(variant).ours
    assert model.count_params() == TOTAL[variant]
    assert _count(model.trainable_weights) == TRAINABLE[variant]
    # The identity that ties the two columns together: batch norm's statistics, and 7 numbers for the normalisation.
    batch_norm = sum(_count(layer.weights[2:]) for layer in model.layers if layer.name.endswith("bn"))
    assert TOTAL[variant] == TRAINABLE[variant] + batch_norm + 7


@pytest.mark.parametrize("variant", LITE_MILLIONS)
def test_lite_has_the_published_parameters_and_nothing_that_int8_dislikes(pair, variant):
    model = pair(variant).ours
    assert _count(model.trainable_weights) / 1e6 == pytest.approx(LITE_MILLIONS[variant], abs=0.005)
    assert not [layer.name for layer in model.layers if "_se_" in layer.name]
    activations = {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)}
    assert activations == {"relu6"}
    middle = model.get_layer("normalization")(np.full((1, 1, 1, 3), 127, np.uint8))
    np.testing.assert_allclose(middle, 0, atol=1e-6)


def test_lite0_has_4_652_008_parameters(pair):
    assert _count(pair("lite0").ours.trainable_weights) == 4_652_008


@pytest.mark.parametrize("variant", ["b0", "b1", *SLOW_VARIANTS, "b4", "b7"])
def test_layers_are_those_of_keras_applications(pair, variant):
    def described(model):
        return {
            (layer.name if not layer.name.startswith("normalization") else "normalization"): [
                (weight.name, tuple(weight.shape)) for weight in layer.weights
            ]
            for layer in model.layers
            if layer.weights
        }

    ours, peer = described(pair(variant).ours), described(pair(variant).peer)
    assert ours == peer
    assert list(ours) == list(peer)


@pytest.mark.parametrize("variant", ["b0", "b4", "b7"])
def test_drop_connect_grows_linearly_as_in_keras_applications(pair, variant):
    def rates(model, kind):
        return {layer.name: layer.rate for layer in model.layers if isinstance(layer, kind) and "block" in layer.name}

    expected = rates(pair(variant).peer, keras.layers.Dropout)
    assert rates(pair(variant).ours, StochasticDepth) == pytest.approx(expected)


@pytest.mark.parametrize("variant", ["b0", "b1", "b4"])
def test_outputs_equal_keras_applications(pair, photos, randomize, copy_weights, variant):
    models = pair(variant)
    randomize(models.peer)
    copy_weights(models.peer, models.ours)
    images = photos(models.side)
    expected = np.asarray(models.peer(images.astype("float32")))
    logits = np.asarray(models.ours(images))
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * np.abs(expected).max()  # the photographs differ
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_headless_network_ends_in_the_feature_map():
    model = build_efficientnet("b0", include_top=False)
    assert model.count_params() == 4_049_571  # keras.applications with include_top=False
    assert model.output_shape == (None, 7, 7, 1280)


def test_ten_classes_change_the_classifier_only(small):
    model = build_efficientnet("b0", 10, image_size=32)
    assert _count(model.trainable_weights) == 4_020_358
    assert model.output_shape == (None, 10)


def test_a_new_network_of_ten_classes_has_no_opinion(photos):
    model = build_efficientnet("b0", 10, image_size=32, seed=1)
    probabilities = keras.ops.softmax(model(photos(32), training=True))
    loss = -np.log(np.asarray(probabilities)).max(axis=0).mean()
    assert loss < 1.5 * np.log(10)


def test_a_custom_phi_builds():
    model = build_efficientnet(compound_variant(-1.5), 4)
    assert model.name == "efficientnetphi-1.5"
    assert model(np.zeros((1, *model.input_shape[1:]), "float32")).shape == (1, 4)


def test_bytes_and_floats_give_the_same_logits(small, photos):
    images = photos(32)
    np.testing.assert_array_equal(small(images), small(images.astype("float32")))


def test_no_classes_is_refused():
    with pytest.raises(ValueError, match="num_classes >= 1, got None"):
        build_efficientnet("b0")


def _state(model):
    return [np.asarray(variable.numpy()) for variable in model.variables]


def test_the_seed_decides_weights_and_dropout(photos):
    variant = Variant("tiny", 0.25, 0.5, 32, 0.2)
    one, twin, other = (build_efficientnet(variant, 3, seed=seed) for seed in (7, 7, 8))
    for ours, same in zip(_state(one), _state(twin), strict=True):
        np.testing.assert_array_equal(ours, same)
    np.testing.assert_array_equal(one(photos(32), training=True), twin(photos(32), training=True))
    for weight, different in zip(one.weights, other.weights, strict=True):
        if weight.name == "kernel":
            assert not np.array_equal(weight.numpy(), different.numpy())


def test_kernels_of_equal_shape_differ(pair):
    model = pair("b1").ours
    kernels = [model.get_layer(f"block2{letter}_project_conv").kernel.numpy() for letter in "bc"]
    assert not np.array_equal(*kernels)


def test_a_reseeded_network_with_its_first_weights_equals_a_fresh_one(photos):
    variant = Variant("tiny", 0.25, 0.5, 32, 0.2)
    used, fresh = build_efficientnet(variant, 3, seed=11), build_efficientnet(variant, 3, seed=11)
    weights = used.get_weights()
    first, second = used(photos(32), training=True), used(photos(32), training=True)
    assert not np.array_equal(first, second)
    reseed(used, 11)
    used.set_weights(weights)
    for ours, new in zip(_state(used), _state(fresh), strict=True):
        np.testing.assert_array_equal(ours, new)
    np.testing.assert_array_equal(used(photos(32), training=True), first)


def test_regularisation_changes_without_tracing_again(small, photos):
    tf = pytest.importorskip("tensorflow")
    traces = []

    @tf.function
    def forward(images):
        traces.append(1)
        return small(images, training=True)

    images = tf.constant(photos(32))
    set_regularisation(small, dropout_rate=0.5, drop_connect_rate=0.5)
    assert not np.array_equal(forward(images), forward(images))
    set_regularisation(small, dropout_rate=0.0, drop_connect_rate=0.0)
    np.testing.assert_array_equal(forward(images), forward(images))
    set_regularisation(small, drop_connect_rate=0.4)
    depths = [layer for layer in small.layers if isinstance(layer, StochasticDepth)]
    assert [layer.rate for layer in depths] == pytest.approx([0.4 * layer.depth_fraction for layer in depths])
    assert small.get_layer("top_dropout").rate == 0.0
    assert len(traces) == 1


def test_regularising_what_is_not_there_is_refused():
    model = build_efficientnet(Variant("tiny", 0.25, 0.5, 32, 0.2), include_top=False)
    with pytest.raises(ValueError, match="no Dropout layer"):
        set_regularisation(model, dropout_rate=0.3)


def test_saved_models_keep_their_rates(small, photos, tmp_path):
    set_regularisation(small, dropout_rate=0.35)
    small.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("top_dropout").rate == pytest.approx(0.35)
    np.testing.assert_allclose(loaded(photos(32)), small(photos(32)), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_float32_logits(photos, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build_efficientnet(Variant("tiny", 0.25, 0.5, 32, 0.2), 3)
        logits = model(photos(32), training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.isfinite(logits).all()
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
