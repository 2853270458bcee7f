"""Keeps the profile for TFX."""

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common.executor_types import Artifacts, ExecProperties
from components.common.ingest_report import read_summary
from components.common.profile import write_profile
from components.common.push_properties import DESTINATION


class Executor(BaseExecutor):
    """Copies the ingest's profile to the pushed model."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `report` and writes beside the model that `pushed_model` names; nothing if none was pushed."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(input_dict["pushed_model"])
        if destination := pushed.get_string_custom_property(DESTINATION):
            write_profile(destination, read_summary(artifact_utils.get_single_uri(input_dict["report"])).profile)
