"""The driver of nodes whose cache key must hold more than their inputs and settings, such as what is served now."""

from collections.abc import Mapping
from typing import ClassVar

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import Artifact, BaseChannel

from components.common.cache_key import found_by
from components.common.executor_types import Artifacts, ExecProperties, Parameters


class CacheKeyDriver(BaseDriver, portable_base_driver.BaseDriver):
    """Adds parameters that only the moment of the run can tell.

    TFX has two kinds of drivers, one for the local and Beam orchestrators (`run`), one for Airflow
    (`resolve_input_artifacts`), and asks a custom driver to be both. On Kubeflow `run` is a task of its own, see
    pipeline/kubeflow/ir.py. TFX notes the failure of an executor, but leaves a node whose driver fails as running for
    ever: where `parameters` cannot tell, the step runs and its executor meets the error.

    Attributes:
        find: what finds them, without TFX; None where `parameters` is overridden.
    """

    find: ClassVar["staticmethod[[Mapping[str, str], Parameters], dict[str, str]] | None"] = None  # a `Find`

    def __init__(self, metadata_handle: metadata.Metadata):
        BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def parameters(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        """Returns the further parameters, by the names in the component's specification."""
        find = type(self).find
        if find is None:
            raise NotImplementedError(f"{type(self).__name__} has no `find`")
        uris = {name: str(artifacts[0].uri) for name, artifacts in inputs.items() if artifacts}
        return find(uris, exec_properties)

    def resolve_input_artifacts(
        self,
        input_dict: dict[str, BaseChannel[Artifact]],
        exec_properties: ExecProperties,
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
    ) -> Artifacts:
        """Resolves the inputs and, now that they are known, adds the parameters to `exec_properties`."""
        artifacts = super().resolve_input_artifacts(input_dict, exec_properties, driver_args, pipeline_info)
        exec_properties.update(self._found(artifacts, exec_properties))
        return artifacts

    def run(self, execution_info: portable_data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the parameters."""
        output = driver_output_pb2.DriverOutput()
        found = self._found(execution_info.input_dict, execution_info.exec_properties)
        for name, value in found.items():
            data_types_utils.set_metadata_value(output.exec_properties[name], value)
        return output

    def _found(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        return found_by(lambda _, properties: self.parameters(inputs, properties), {}, exec_properties)
