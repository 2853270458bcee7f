"""Settings for a whole process that trains on a CPU."""

import ctypes
import platform

from trainer.kernels import FUSED, on_cpu

if FUSED:
    import tensorflow as tf

M_ARENA_MAX = -8  # glibc's malloc.h


def prepare_cpu_process() -> None:
    """Make TensorFlow quicker to start and sparing with memory where training runs on a CPU.

    Call it before the first step is traced, and before other threads allocate. On a GPU, where the graph rewriting
    pays (it chooses tensor layouts), and on other backends nothing happens.
    """
    if not (FUSED and on_cpu()):
        return
    # What TensorFlow's graph rewriting would fuse is fused here already: the step is as fast without, and starts
    # seconds sooner (benchmarks/first_step.py).
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # One heap for all threads: what one frees another takes. With glibc's heap for each thread a step of B0 at 224 px
    # holds a quarter more memory, and meets more pages that were never touched (benchmarks/train_step.py).
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
