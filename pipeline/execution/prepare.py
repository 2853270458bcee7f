"""Preparations for a run: the configuration that the environment names, the images, and this process."""

import os
import shlex
from pathlib import Path

from components.common.files import is_remote
from components.image_example_gen.sources.spans import PLACEHOLDER
from data.quickstart import build_quickstart, is_quickstart
from pipeline.config.load import DEFAULT_PATH, ConfigSource
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.config.secrets import hide_secrets_in_logs


def source_from_environment() -> ConfigSource:
    """What EFFNET_CONFIG and EFFNET_SET choose; without the first the shipped pipeline.yaml."""
    path = Path(os.environ.get("EFFNET_CONFIG", DEFAULT_PATH))
    return ConfigSource(path, tuple(shlex.split(os.environ.get("EFFNET_SET", ""))))


def config_from_environment() -> PipelineConfig:
    """The configuration of `source_from_environment`."""
    return source_from_environment().load()


def prepare(config: PipelineConfig) -> None:
    """Makes the quick-start images if the run uses them, and prepares this process."""
    if is_quickstart(config.data.path):
        build_quickstart(Path(config.data.path))
    prepare_process()
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    # This process lists the images before Beam makes a pipeline: --s3_endpoint_url holds for both.
    FileSystems.set_options(PipelineOptions(list(config.runners.beam)))


def check_images_are_there(config: PipelineConfig) -> None:
    """Finds a mistyped path at once; the ingest would find it only after TFX is loaded.

    Raises:
      ConfigError: `data.path` is a local path that does not exist.
    """
    path = config.data.path
    if is_quickstart(path) or is_remote(path) or PLACEHOLDER in path or Path(path).exists():
        return
    raise ConfigError(f"data.path: there is nothing at {path}, expected a folder of images or a label file")


def prepare_process() -> None:
    """Keeps this process off the GPU and the network, and its children from importing from the current folder.

    No Beam step may use the GPU. The training process, a child, does not inherit that and has the GPU to itself.
    """
    hide_secrets_in_logs()
    import tensorflow as tf
    from apache_beam.options.pipeline_options import StandardOptions

    tf.config.set_visible_devices([], "GPU")
    # Trainings and Beam's workers start with `-c` and `-m`, for which Python puts the current folder on its path: a
    # yaml.py or a package `components` there would run instead of the real one.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Beam's own default tries to download another runner for every step (apache/beam, runners/direct); a `--runner`
    # in `runners.beam` still wins.
    StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
