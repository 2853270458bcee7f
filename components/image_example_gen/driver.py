"""Puts a fingerprint of the image folder into ImageExampleGen's cache key."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2

from components.errors import DataError
from components.image_example_gen.source import source_of

FINGERPRINT = "input_fingerprint"


class Driver(BaseDriver, portable_base_driver.BaseDriver):
    """Reruns the ingest when a file was added, removed or written, and only then.

    TFX has two kinds of drivers, one for the local and Beam orchestrators (`run`), one for Airflow
    (`resolve_exec_properties`), and asks a custom driver to be both. Kubeflow runs none: there the parameter is absent
    and the artifacts alone carry the fingerprint.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Returns the parameters with the fingerprint."""
        return {**exec_properties, FINGERPRINT: _fingerprint(exec_properties)}

    def run(self, execution_info: portable_data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the fingerprint as a further parameter."""
        output = driver_output_pb2.DriverOutput()
        value = _fingerprint(execution_info.exec_properties)
        data_types_utils.set_metadata_value(output.exec_properties[FINGERPRINT], value)
        return output


def _fingerprint(exec_properties: Mapping[str, Any]) -> str:
    try:
        return source_of(exec_properties).fingerprint()
    except DataError:
        # TFX notes the failure of an executor, but leaves a node whose driver fails as running for ever. The executor
        # meets the same error a moment later.
        return ""
