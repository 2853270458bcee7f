"""What depends on the machine: strategy, precision, XLA and batch size, each `auto` unless the user decides."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

CPU_BATCH_SIZE = 32  # larger ones are not faster on a CPU (B0, 224 px), and small data sets get too few steps
LARGEST_BATCH_SIZE = 1024
SMALLEST_BATCH_SIZE = 8
LEAST_STEPS_PER_EPOCH = 20  # a batch that fills the GPU is no use if an epoch has a handful of them

TENSOR_CORES = (7, 0)  # compute capability: Volta, float16 only
BFLOAT16_TENSOR_CORES = (8, 0)  # Ampere; bfloat16 has float32's range and needs no scaling of the loss


def accelerators() -> list[str]:
    """The GPUs that TensorFlow sees, such as ["GPU:0", "GPU:1"]; empty on a CPU."""
    return [f"GPU:{number}" for number, _ in enumerate(tf.config.list_logical_devices("GPU"))]


def choose_strategy(devices: Sequence[str]) -> tf.distribute.Strategy:
    """One replica on each of several devices; TensorFlow's default, no distribution, for one or none."""
    return tf.distribute.MirroredStrategy(list(devices)) if len(devices) > 1 else tf.distribute.get_strategy()


def choose_precision(asked: str, devices: Sequence[str]) -> str:
    """Keras' dtype policy: what was asked for; for `auto` a mixed one on GPUs with tensor cores, else float32."""
    if asked != "auto":
        return asked
    gpus = tf.config.list_physical_devices("GPU") if devices else []
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    weakest = min(capabilities, default=(0, 0))
    if weakest >= BFLOAT16_TENSOR_CORES:
        return "mixed_bfloat16"
    return "mixed_float16" if weakest >= TENSOR_CORES else "float32"


def choose_xla(asked: bool | Literal["auto"], devices: Sequence[str]) -> bool:
    """Whether XLA compiles the step: for `auto` on a single GPU.

    On a CPU it makes this network's step about five times slower; across GPUs Keras' step does not compile.
    """
    return len(devices) == 1 if asked == "auto" else asked


def choose_batch_size(
    asked: int | Literal["auto"], num_images: int, devices: Sequence[str], fits: Callable[[int], bool]
) -> int:
    """Images a step, over all devices: what was asked for, or for `auto` what the devices hold.

    On GPUs that is the largest power of two that `fits`, tried from the top down, below 1,024 a device and an epoch of
    twenty steps. On a CPU, whose speed hardly depends on it, it is 32.

    Args:
      asked: `train.batch_size`.
      num_images: in the train split.
      devices: from `accelerators`.
      fits: whether a device has the memory for a step of so many images.

    Raises:
      MemoryError: not even eight images fit.
    """
    if asked != "auto":
        return asked
    if not devices:
        return CPU_BATCH_SIZE
    share = num_images // (LEAST_STEPS_PER_EPOCH * len(devices))
    size = min(LARGEST_BATCH_SIZE, 1 << max(share.bit_length() - 1, 0))
    size = max(size, SMALLEST_BATCH_SIZE)
    while not fits(size):
        size //= 2
        if size < SMALLEST_BATCH_SIZE:
            raise MemoryError(
                f"the GPU's memory does not hold a step of {SMALLEST_BATCH_SIZE} images; "
                "lower model.image_size or choose a smaller model.variant"
            )
    return size * len(devices)


def step_fits(model: keras.Model, batch_size: int) -> bool:
    """Runs one training step of a compiled model on black images; False where memory runs out. Spoils the weights."""
    images = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
    labels = np.eye(model.output_shape[-1], dtype=np.float32)[np.zeros(batch_size, int)]
    with contextlib.suppress(tf.errors.ResourceExhaustedError):
        model.train_on_batch(images, labels)
        return True
    return False
