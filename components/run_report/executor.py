"""Writes the report for TFX."""

import json

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.common.executor_types import Artifacts, ExecProperties
from components.common.functions import load_function
from components.common.push_properties import DESTINATION, PUSHED, REFUSAL, VERSION
from components.run_report.sources import Push, ReportSettings, Sources
from components.run_report.write import write_report


class Executor(BaseExecutor):
    """Reads what the run left, asks the model about the eval images, and writes the report."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads all inputs, of which `tuner_results` may be missing, and writes `report`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        uris = {name: artifact_utils.get_single_uri(found) for name, found in input_dict.items() if found}
        pushed = artifact_utils.get_single_instance(input_dict["pushed_model"])
        explain_fn = exec_properties["explain_fn"]
        write_report(
            artifact_utils.get_single_uri(output_dict["report"]),
            Sources(**uris),
            push_of(pushed),
            ReportSettings(**json.loads(exec_properties["settings"])),
            load_function(explain_fn) if explain_fn else None,
        )


def push_of(pushed_model: Artifact) -> Push:
    """Returns what Pusher noted of its artifact."""
    return Push(
        version=pushed_model.get_string_custom_property(VERSION)
        if pushed_model.get_int_custom_property(PUSHED)
        else "",
        destination=pushed_model.get_string_custom_property(DESTINATION),
        refusal=pushed_model.get_string_custom_property(REFUSAL),
    )
