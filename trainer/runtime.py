"""Settings of TensorFlow for a whole process that trains."""

from trainer.kernels import FUSED

if FUSED:
    import tensorflow as tf


def quicken_first_step() -> None:
    """Leave out TensorFlow's graph rewriting where the step runs on a CPU; call it before the first step is traced.

    What it would fuse is fused here already: the step is as fast without, and starts seconds sooner
    (benchmarks/first_step.py). On a GPU the rewriting pays (it chooses tensor layouts), so there it stays. Nothing
    happens on other backends.
    """
    if FUSED and not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
