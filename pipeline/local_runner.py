"""Runs the pipeline on this machine; the file to name to the tfx command line.

    tfx pipeline create --engine local --pipeline_path pipeline/local_runner.py
    tfx run create --engine local --pipeline_name quickstart

That command line takes no options of a pipeline's own: EFFNET_CONFIG names another pipeline.yaml and EFFNET_SET
holds overrides, as in EFFNET_SET="train.epochs=3 model.variant=b2". `effnet run` does the same with progress.
"""

import os
import shlex
from pathlib import Path

from components.common.files import is_remote
from components.image_example_gen.sources.spans import PLACEHOLDER
from data.quickstart import DEFAULT_DESTINATION, build_quickstart
from pipeline.config.model import DEFAULT_PATH, ConfigError, PipelineConfig, load_config
from pipeline.execution.run_lock import only_run


def config_from_environment() -> PipelineConfig:
    """The configuration that EFFNET_CONFIG and EFFNET_SET choose."""
    return load_config(os.environ.get("EFFNET_CONFIG", DEFAULT_PATH), shlex.split(os.environ.get("EFFNET_SET", "")))


def run(config: PipelineConfig) -> None:
    """Runs every step in this process, Tuner and Trainer in a child of it; raises what a failing step raises.

    Raises:
      RunInProgress: another process runs this pipeline.
    """
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.dag import create_pipeline

    with only_run(config.run_root):
        prepare(config)
        LocalDagRunner().run(create_pipeline(config))


def prepare(config: PipelineConfig) -> None:
    """Makes the quick-start images if they are what the run is about, and prepares this process."""
    if config.data.path == str(DEFAULT_DESTINATION):
        build_quickstart()
    prepare_process()


def check_images_are_there(config: PipelineConfig) -> None:
    """Finds a mistyped path at once; the ingest would as well, but only once TFX is loaded.

    Raises:
      ConfigError: `data.path` is a local path, and nothing is there.
    """
    path = config.data.path
    if path == str(DEFAULT_DESTINATION) or is_remote(path) or PLACEHOLDER in path or Path(path).exists():
        return
    raise ConfigError(f"data.path: there is nothing at {path}, expected a folder of images or a manifest")


def prepare_process() -> None:
    """Keeps this process off the GPU and the network.

    No Beam step may take the GPU. The training process, a child, does not inherit this and has it to itself.
    """
    import tensorflow as tf
    from apache_beam.options.pipeline_options import StandardOptions

    tf.config.set_visible_devices([], "GPU")
    # Beam's own default first tries to download another runner, for every step anew (apache/beam, runners/direct);
    # a `--runner` among `runners.beam` still wins.
    StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


if __name__ == "__main__":
    run(config_from_environment())
