"""The network, its data and its training: everything that runs inside the Tuner and Trainer steps."""

import os
import platform

# On x86 TensorFlow takes oneDNN's CPU kernels by itself only where the processor has AVX-512; with AVX2 alone they make
# this network's training step about twice as fast (benchmarks/train_step.py). TensorFlow reads this as it is imported.
if platform.machine() in {"x86_64", "AMD64"}:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
