"""Puts the served version into ServedModel's cache key."""

from typing import Any

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import Artifact, BaseChannel, artifact_utils
from tfx.utils import path_utils

from components.served_model.versions import ServedVersion, find_baseline

VERSION, FINGERPRINT = "served_version", "served_fingerprint"


def resolve(push_path: str, input_dict: dict[str, list[Artifact]]) -> ServedVersion:
    """Returns the baseline of the artifact `candidate`."""
    candidate = artifact_utils.get_single_uri(input_dict["candidate"])
    return find_baseline(push_path, path_utils.serving_model_path(candidate))


class Driver(BaseDriver, portable_base_driver.BaseDriver):
    """Evaluates again when another model was pushed, and only then.

    As in ImageExampleGen, TFX asks for both kinds of drivers: `run` serves the local and Beam orchestrators,
    `resolve_input_artifacts` Airflow, and on Kubeflow, which runs none, the executor resolves the version itself.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def resolve_input_artifacts(
        self,
        input_dict: dict[str, BaseChannel],
        exec_properties: dict[str, Any],
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
    ) -> dict[str, list[Artifact]]:
        """Resolves the inputs and, now that the candidate is known, adds the served version to `exec_properties`."""
        artifacts = super().resolve_input_artifacts(input_dict, exec_properties, driver_args, pipeline_info)
        served = resolve(exec_properties["push_path"], artifacts)
        exec_properties.update({VERSION: served.version, FINGERPRINT: served.fingerprint})
        return artifacts

    def run(self, execution_info: portable_data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the served version and its fingerprint as further parameters."""
        served = resolve(execution_info.exec_properties["push_path"], execution_info.input_dict)
        output = driver_output_pb2.DriverOutput()
        data_types_utils.set_metadata_value(output.exec_properties[VERSION], served.version)
        data_types_utils.set_metadata_value(output.exec_properties[FINGERPRINT], served.fingerprint)
        return output
