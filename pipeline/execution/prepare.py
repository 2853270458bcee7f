"""Before a run: the configuration that the environment names, the images, and this process."""

import os
import shlex
from pathlib import Path

from components.common.files import is_remote
from components.image_example_gen.sources.spans import PLACEHOLDER
from data.quickstart import build_quickstart, is_quickstart
from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.config.secrets import hide_secrets_in_logs


def config_from_environment() -> PipelineConfig:
    """The configuration that EFFNET_CONFIG and EFFNET_SET choose."""
    return load_config(os.environ.get("EFFNET_CONFIG", DEFAULT_PATH), shlex.split(os.environ.get("EFFNET_SET", "")))


def prepare(config: PipelineConfig) -> None:
    """Makes the quick-start images if they are what the run is about, and prepares this process."""
    if is_quickstart(config.data.path):
        build_quickstart(Path(config.data.path))
    prepare_process()


def check_images_are_there(config: PipelineConfig) -> None:
    """Finds a mistyped path at once; the ingest would as well, but only once TFX is loaded.

    Raises:
      ConfigError: `data.path` is a local path, and nothing is there.
    """
    path = config.data.path
    if is_quickstart(path) or is_remote(path) or PLACEHOLDER in path or Path(path).exists():
        return
    raise ConfigError(f"data.path: there is nothing at {path}, expected a folder of images or a label file")


def prepare_process() -> None:
    """Keeps this process off the GPU and the network, and its children from importing what is in the current folder.

    No Beam step may take the GPU. The training process, a child, does not inherit this and has it to itself.
    """
    hide_secrets_in_logs()
    import tensorflow as tf
    from apache_beam.options.pipeline_options import StandardOptions

    tf.config.set_visible_devices([], "GPU")
    # Trainings and Beam's workers are started with `-c` and `-m`, before which Python puts the current folder on its
    # path: a yaml.py or a package `components` there would run in the place of the real one.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Beam's own default first tries to download another runner, for every step anew (apache/beam, runners/direct);
    # a `--runner` among `runners.beam` still wins.
    StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
