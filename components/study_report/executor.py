"""Writes the report of a study for TFX."""

import tempfile

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common import files
from components.common.executor_types import Artifacts, ExecProperties
from components.common.functions import load_function


class Executor(BaseExecutor):
    """Calls the function that writes, and brings what it wrote to the artifact."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads all inputs, which are model runs, and writes `report`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model_runs = [artifact_utils.get_single_uri(input_dict[name]) for name in sorted(input_dict)]
        report = artifact_utils.get_single_uri(output_dict["report"])
        write = load_function(exec_properties["write_fn"])
        with tempfile.TemporaryDirectory() as folder:
            write(folder, exec_properties["experiment"], model_runs)
            for name in files.walk(folder):
                files.copy(files.join(folder, name), files.join(report, name))
