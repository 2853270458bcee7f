"""Runs the pipeline on this machine; the file to name to the tfx command line.

    tfx pipeline create --engine local --pipeline_path pipeline/local_runner.py
    tfx run create --engine local --pipeline_name quickstart

That command line takes no options of a pipeline's own: EFFNET_CONFIG names another pipeline.yaml and EFFNET_SET
holds overrides, as in EFFNET_SET="train.epochs=3 model.variant=b2". `effnet run` does the same with progress.
"""

import os
import shlex

from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config


def config_from_environment() -> PipelineConfig:
    """The configuration that EFFNET_CONFIG and EFFNET_SET choose."""
    return load_config(os.environ.get("EFFNET_CONFIG", DEFAULT_PATH), shlex.split(os.environ.get("EFFNET_SET", "")))


def run(config: PipelineConfig) -> None:
    """Runs every step in this process, Tuner and Trainer in a child of it; raises what a failing step raises."""
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.dag import create_pipeline

    keep_off_gpu()
    LocalDagRunner().run(create_pipeline(config))


def keep_off_gpu() -> None:
    """Hides the GPU from this process, so that no Beam step takes it; the training process does not inherit this."""
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")


if __name__ == "__main__":
    run(config_from_environment())
