"""Compiles the pipeline for Kubeflow Pipelines or Vertex AI; the file to give to the tfx command line.

    tfx pipeline create --engine kubeflow --pipeline_path pipeline/kubeflow_runner.py --endpoint http://localhost:8888
    tfx run create --engine kubeflow --pipeline_name quickstart --endpoint http://localhost:8888

As in local_runner.py, EFFNET_CONFIG names another pipeline.yaml and EFFNET_SET holds overrides.
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

from components.common.json_types import JsonObject
from pipeline.config.model import PipelineConfig
from pipeline.execution.prepare import config_from_environment


def compile_pipeline(
    config: PipelineConfig, output_dir: str | None = None, output_filename: str | None = None
) -> JsonObject:
    """Writes the pipeline for the cluster and returns it as a PipelineJob.

    Raises:
      KubeflowError: the pipeline cannot run there; one line that says why.
    """
    from pipeline.dag import create_pipeline
    from pipeline.kubeflow.compiler import KubeflowRunner, in_cluster

    config = in_cluster(config)
    return KubeflowRunner(config, output_dir, output_filename).run(create_pipeline(config))


if __name__ == "__main__":
    compile_pipeline(config_from_environment())
