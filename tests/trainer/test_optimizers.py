import keras
import numpy as np
import pytest

from trainer.optimizers import AdamW, RMSprop

PAIRS = {
    "rmsprop": (
        lambda **kwargs: RMSprop(initial_velocity=0.0, **kwargs),
        lambda **kwargs: keras.optimizers.RMSprop(rho=0.9, momentum=0.9, epsilon=1e-3, **kwargs),
    ),
    "rmsprop, centered": (
        lambda **kwargs: RMSprop(initial_velocity=0.0, centered=True, **kwargs),
        lambda **kwargs: keras.optimizers.RMSprop(rho=0.9, momentum=0.9, epsilon=1e-3, centered=True, **kwargs),
    ),
    "rmsprop, no momentum": (
        lambda **kwargs: RMSprop(initial_velocity=0.0, momentum=0.0, **kwargs),
        lambda **kwargs: keras.optimizers.RMSprop(rho=0.9, momentum=0.0, epsilon=1e-3, **kwargs),
    ),
    "adamw": (AdamW, keras.optimizers.AdamW),
    "adamw, amsgrad": (
        lambda **kwargs: AdamW(amsgrad=True, **kwargs),
        lambda **kwargs: keras.optimizers.AdamW(amsgrad=True, **kwargs),
    ),
}
FEATURES = {
    "plain": {},
    "weight decay": {"weight_decay": 0.05},
    "global clipping": {"global_clipnorm": 0.5},
    "moving average": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 2},
    "schedule": {"learning_rate": keras.optimizers.schedules.CosineDecay(0.05, 6)},
}


def _train(make, kwargs, steps=5):
    """Return the variables and the optimiser after some steps with the same gradients for every optimiser."""
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=shape), dtype="float32", name=name)
        for name, shape in (("kernel", (3, 4)), ("bias", (4,)), ("gamma", (1,)))
    ]
    optimizer = make(**{"learning_rate": 0.05, **kwargs})
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
    for _ in range(steps):
        gradients = [keras.ops.convert_to_tensor(rng.normal(size=v.shape), dtype="float32") for v in variables]
        optimizer.apply(gradients, variables)
    return variables, optimizer


# The tolerance is float32's: Keras has 1 - beta2 = .001 from double precision, the kernel .00099999 from single.
@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", PAIRS)
def test_updates_equal_keras(name, feature):
    ours, keras_own = (_train(make, FEATURES[feature]) for make in PAIRS[name])
    for our_variable, keras_variable in zip(ours[0], keras_own[0], strict=True):
        np.testing.assert_allclose(our_variable.numpy(), keras_variable.numpy(), rtol=1e-4, atol=1e-6)
    for our_state, keras_state in zip(ours[1].variables, keras_own[1].variables, strict=True):
        np.testing.assert_allclose(our_state.numpy(), keras_state.numpy(), rtol=1e-4, atol=1e-6)


def test_weight_decay_leaves_the_excluded_alone():
    plain, decayed = (_train(AdamW, {"weight_decay": decay})[0] for decay in (0.0, 0.5))
    moved = [not np.allclose(a.numpy(), b.numpy()) for a, b in zip(plain, decayed, strict=True)]
    assert moved == [True, False, False]


def test_official_mean_squares_start_at_one():
    variable = keras.Variable(np.zeros(2), dtype="float32")
    RMSprop(0.1).apply([keras.ops.convert_to_tensor([1.0, -2.0], dtype="float32")], [variable])
    # ms = .9 + .1 g^2, and the step is lr * g / sqrt(ms + epsilon).
    np.testing.assert_allclose(variable.numpy(), [-0.1 / np.sqrt(1.001), 0.2 / np.sqrt(1.301)], rtol=1e-5)


@pytest.mark.parametrize("make", [RMSprop, AdamW])
def test_a_reset_optimizer_is_a_new_one(make):
    variables, used = _train(make, {"use_ema": True})
    used.reset()
    new = make(learning_rate=0.05, use_ema=True)
    new.build(variables)
    for old_state, new_state in zip(used.variables, new.variables, strict=True):
        np.testing.assert_array_equal(old_state.numpy(), new_state.numpy())


@pytest.mark.parametrize("make", [RMSprop, AdamW])
def test_optimizers_serialise(make):
    optimizer = make(learning_rate=0.1, global_clipnorm=1.0, weight_decay=0.01)
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(loaded) is make
    assert loaded.get_config() == optimizer.get_config()


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="looks into TensorFlow's graph")
@pytest.mark.parametrize(("make", "kernel"), [(RMSprop, "ResourceApplyRMSProp"), (AdamW, "ResourceApplyAdam")])
def test_a_traced_step_is_few_operations_a_variable(make, kernel):
    import tensorflow as tf

    variables = [keras.Variable(np.ones((2, 2)), dtype="float32") for _ in range(50)]
    optimizer = make(learning_rate=0.1, weight_decay=0.01)
    optimizer.build(variables)

    @tf.function
    def step(gradients):
        optimizer.apply(gradients, variables)

    graph = step.get_concrete_function([tf.ones((2, 2))] * 50).graph
    counts = [operation.type for operation in graph.get_operations()]
    assert counts.count(kernel) == 50
    assert len(counts) < 50 * 8  # placeholders of gradient and three handles, decay's two, the kernel


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="a TensorFlow strategy")
def test_a_distribution_strategy_runs_keras_own_update():
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        variable = keras.Variable(np.ones(2), dtype="float32", aggregation="mean")
        optimizer = AdamW(0.1)
        optimizer.build([variable])

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply([tf.constant([1.0, -1.0])], [variable]))

    step()
    plain = keras.Variable(np.ones(2), dtype="float32")
    keras.optimizers.AdamW(0.1).apply([tf.constant([1.0, -1.0])], [plain])
    np.testing.assert_allclose(variable.numpy(), plain.numpy(), rtol=1e-6)
