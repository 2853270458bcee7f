"""Writes the filled schema for TFX."""

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common import files
from components.common.executor_types import Artifacts, ExecProperties
from components.common.ingest_report import read_classes
from components.curated_schema.schema import fill_classes

SCHEMA_FILE = "schema.pbtxt"  # the name by which TFX's components know it


class Executor(BaseExecutor):
    """Fills the report's classes into the schema."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `report` and `schema_text`, writes `schema`.

        Raises:
            DataError: if the report or the schema cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        classes = read_classes(artifact_utils.get_single_uri(input_dict["report"]))
        schema = fill_classes(exec_properties["schema_text"], classes)
        files.write_text(files.join(artifact_utils.get_single_uri(output_dict["schema"]), SCHEMA_FILE), schema)
