"""How the network is trained: optimiser, learning-rate schedule, loss and the batch norm that fits the run's length."""

import keras
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from trainer.optimizers import AdamW
from trainer.settings import TrainSettings

# Batch norm's moving statistics average over the last 1 / (1 - momentum) steps. The official momentum, .99 (100 steps;
# tensorflow/tpu efficientnet_builder.py), belongs to hundreds of thousands of steps. In a run of a few hundred it would
# still remember the untrained network, and evaluation would collapse while training looks fine.
LONGEST_AVERAGE_STEPS = 100
SHORTEST_AVERAGE_STEPS = 10
AVERAGE_FRACTION_OF_RUN = 0.05


def batch_norm_momentum(total_steps: int) -> float:
    """The official .99 for long runs, less for short ones: an average over 5 % of the run, at least ten steps."""
    window = min(max(total_steps * AVERAGE_FRACTION_OF_RUN, SHORTEST_AVERAGE_STEPS), LONGEST_AVERAGE_STEPS)
    return 1.0 - 1.0 / window


def learning_rate_schedule(settings: TrainSettings, total_steps: int) -> LearningRateSchedule:
    """Linear warm-up to `settings.learning_rate`, then cosine decay to zero at `total_steps`."""
    warmup_steps = int(total_steps * settings.warmup_fraction)
    if warmup_steps == 0:
        return CosineDecay(settings.learning_rate, decay_steps=total_steps)
    return CosineDecay(
        initial_learning_rate=settings.learning_rate / warmup_steps,
        decay_steps=max(total_steps - warmup_steps, 1),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup_steps,
    )


def compile_model(model: keras.Model, settings: TrainSettings, total_steps: int) -> None:
    """Gives `model` (logits out, one-hot labels in) its optimiser, loss and accuracy metric."""
    optimizer = AdamW(
        learning_rate_schedule(settings, total_steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm,
    )
    # Batch norm's gamma and beta and every bias stay free of decay, as in the reference (tensorflow/tpu main.py).
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    # Variables that are made while a step is traced make TensorFlow trace that step twice.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        # Keras would choose XLA, which makes this network's step about five times slower on CPU.
        jit_compile=False,
    )
