import keras
import numpy as np
import pytest

from trainer.layers import BatchNormalization, DepthwiseConv2D, GatedConv2D, Normalization
from trainer.stochastic_depth import Dropout, StochasticDepth

rng = np.random.default_rng(0)


def _twins(momentum=0.9, **kwargs):
    """Our batch norm and Keras', with equal random weights."""
    layers = [cls(momentum=momentum, **kwargs) for cls in (BatchNormalization, keras.layers.BatchNormalization)]
    weights = [rng.uniform(0.5, 1.5, 6).astype("float32") for _ in range(4)]
    for layer in layers:
        layer.build((None, None, None, 6))
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("shape", [(4, 5, 3, 6), (2, 1, 1, 6), (1, 1, 1, 6)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_equals_keras(shape, training):
    ours, keras_own = _twins()
    x = rng.normal(1, 3, shape).astype("float32")
    for _ in range(3):
        np.testing.assert_allclose(ours(x, training=training), keras_own(x, training=training), atol=1e-5, rtol=1e-5)
    assert [w.name for w in ours.weights] == [w.name for w in keras_own.weights]
    for our_weight, keras_weight in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(our_weight, keras_weight, atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="takes gradients with TensorFlow")
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients_equal_keras(training):
    import tensorflow as tf

    x = tf.constant(rng.normal(1, 3, (4, 5, 3, 6)).astype("float32"))
    weigh = tf.constant(rng.normal(0, 1, x.shape).astype("float32"))
    gradients = []
    for layer in _twins():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=training) * weigh)
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    for ours, keras_own in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, keras_own, atol=1e-4, rtol=1e-4)


def test_frozen_batch_norm_keeps_its_statistics():
    layer, _ = _twins(trainable=False)
    before = layer.get_weights()
    layer(rng.normal(1, 3, (4, 2, 2, 6)).astype("float32"), training=True)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_batch_norm_statistics_stay_float32(policy):
    half, _ = _twins(dtype=policy)
    full, _ = _twins()
    full.set_weights(half.get_weights())
    x = rng.normal(1, 3, (8, 4, 4, 6)).astype("float32")
    assert keras.backend.standardize_dtype(half(x, training=True).dtype) == policy.removeprefix("mixed_")
    full(x, training=True)
    for half_weight, full_weight in zip(half.weights, full.weights, strict=True):
        assert half_weight.dtype == "float32"
        np.testing.assert_allclose(half_weight.numpy(), full_weight.numpy(), rtol=1e-2)


def _with_gradients(function, arrays, kernel):
    """A function's output, and the gradients of its weighted sum by its arguments and a kernel."""
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs = function(*tensors)
        loss = tf.reduce_sum(outputs * tf.reshape(tf.range(tf.size(outputs), dtype="float32") % 7, outputs.shape))
    return [outputs, *tape.gradient(loss, [*tensors, kernel.value])]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="takes gradients with TensorFlow")
@pytest.mark.parametrize(("side", "kernel_size", "strides"), [(4, 5, 1), (4, 5, 2), (2, 3, 1), (1, 5, 1), (9, 3, 2)])
def test_depthwise_conv_equals_keras(side, kernel_size, strides):
    x = rng.normal(0, 1, (3, side, side, 6)).astype("float32")
    layers = [
        cls(kernel_size, strides=strides, padding="same", use_bias=False)
        for cls in (DepthwiseConv2D, keras.layers.DepthwiseConv2D)
    ]
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
    ours, keras_own = (_with_gradients(layer, [x], layer.kernel) for layer in layers)
    for our_value, keras_value in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(our_value, keras_value, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="takes gradients with TensorFlow")
def test_gated_conv_equals_keras_multiply_and_conv():
    x = rng.normal(0, 1, (3, 5, 4, 6)).astype("float32")
    gate = rng.uniform(0, 1, (3, 1, 1, 6)).astype("float32")
    ours, plain = GatedConv2D(8), keras.layers.Conv2D(8, 1, use_bias=False)
    ours.build(x.shape, gate.shape)
    plain.build(x.shape)
    plain.set_weights(ours.get_weights())
    expected = _with_gradients(lambda x, gate: plain(x * gate), [x, gate], plain.kernel)
    for our_value, keras_value in zip(_with_gradients(ours, [x, gate], ours.kernel), expected, strict=True):
        np.testing.assert_allclose(our_value, keras_value, atol=1e-4, rtol=1e-4)


def test_stochastic_depth_drops_whole_samples():
    x = rng.uniform(1, 2, (4000, 2, 3, 2)).astype("float32")
    y = np.asarray(StochasticDepth(0.25, depth_fraction=1.0, seed=1)(x, training=True))
    kept = y.reshape(4000, -1).any(axis=1)
    np.testing.assert_array_equal(y[~kept], 0)
    np.testing.assert_allclose(y[kept], x[kept] / 0.75, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 0.03


def test_dropout_drops_single_elements():
    x = np.ones((200, 50), "float32")
    y = np.asarray(Dropout(0.4, seed=1)(x, training=True))
    assert np.unique(y.round(5)).tolist() == [0, np.float32(1 / 0.6).round(5)]
    assert abs((y > 0).mean() - 0.6) < 0.03
    assert len({row.tobytes() for row in y}) == 200


@pytest.mark.parametrize("layer", [Dropout(0.0), StochasticDepth(0.0, depth_fraction=0.5)])
def test_rate_0_is_exactly_the_identity(layer):
    x = rng.normal(size=(3, 2, 2, 5)).astype("float32")
    np.testing.assert_array_equal(layer(x, training=True), x)


def test_drop_layers_pass_everything_outside_training():
    x = rng.normal(size=(3, 2, 2, 5)).astype("float32")
    np.testing.assert_array_equal(Dropout(0.9)(x), x)


def test_the_rate_is_state_but_no_weight():
    layer = Dropout(0.25, seed=3)
    layer.build((None, 4))
    assert layer.weights == []
    assert layer.count_params() == 0
    assert len(layer.non_trainable_variables) == 2  # the seed generator's state and the rate
    layer.rate = 0.5
    assert layer.get_config()["rate"] == 0.5


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        Dropout(rate)
    layer = Dropout(0.1)
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        layer.rate = rate


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_image_normalization_is_imagenets_once(dtype):
    pixels = np.array([[[[0, 128, 255]]]], dtype)
    expected = (np.array([0, 128, 255]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(Normalization()(pixels)[0, 0, 0], expected, rtol=1e-5)
