"""Keeps the profile for TFX."""

from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.common.ingest_report import read_summary
from components.common.profile import write_profile


class Executor(BaseExecutor):
    """Copies the ingest's profile to the pushed model."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads `report` and writes beside the model that `pushed_model` names; nothing if none was pushed."""
        self._log_startup(input_dict, output_dict, exec_properties)
        destination = artifact_utils.get_single_instance(input_dict["pushed_model"]).get_string_custom_property(
            "pushed_destination"
        )
        if destination:
            write_profile(destination, read_summary(artifact_utils.get_single_uri(input_dict["report"])).profile)
