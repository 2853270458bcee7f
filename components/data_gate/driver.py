"""Puts the served model into DataGate's cache key."""

from typing import Any

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2

from components.served_model.versions import served_path

SERVED = "served_path"


class Driver(BaseDriver, portable_base_driver.BaseDriver):
    """Judges again when another model is served. As in ImageExampleGen, both kinds of TFX's drivers in one."""

    def __init__(self, metadata_handle: metadata.Metadata):
        BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Returns the parameters with the served model."""
        return {**exec_properties, SERVED: served_path(exec_properties["push_path"])}

    def run(self, execution_info: portable_data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the served model as a further parameter."""
        output = driver_output_pb2.DriverOutput()
        served = served_path(execution_info.exec_properties["push_path"])
        data_types_utils.set_metadata_value(output.exec_properties[SERVED], served)
        return output
