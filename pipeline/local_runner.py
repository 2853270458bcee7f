"""Runs the pipeline on this machine; the file to give to the tfx command line.

    tfx pipeline create --engine local --pipeline_path pipeline/local_runner.py
    tfx run create --engine local --pipeline_name quickstart

That command line has no options for a pipeline: EFFNET_CONFIG names another pipeline.yaml and EFFNET_SET
holds overrides, as in EFFNET_SET="train.epochs=3 model.variant=b2". `effnet run` does the same with progress.
"""

import sys
import sysconfig
from pathlib import Path

if __name__ == "__main__":
    # Python, and TFX's command line, put a script's folder first on the path; `schedule`, `config` or `kubeflow` would
    # then be the packages below pipeline/. The standard library's folder takes its place, because TFX removes the first
    # entry again. The folder above has the packages if they are not installed.
    HERE = Path(__file__).resolve().parent
    sys.path[:] = [sysconfig.get_path("stdlib") if Path(folder).resolve() == HERE else folder for folder in sys.path]
    sys.path += [] if str(HERE.parent) in sys.path else [str(HERE.parent)]

from pipeline.config.model import PipelineConfig
from pipeline.execution.prepare import config_from_environment, prepare
from pipeline.run_lock import only_run


def run(config: PipelineConfig) -> None:
    """Runs every step in this process, Tuner and Trainer in a child of it; raises what a failing step raises.

    Raises:
      RunInProgress: another process runs this pipeline.
    """
    from pipeline.dag import create_pipeline
    from pipeline.execution.local_run import new_run_id, run_locally

    with only_run(config.run_root):
        prepare(config)
        run_locally(create_pipeline(config), new_run_id())


if __name__ == "__main__":
    run(config_from_environment())
