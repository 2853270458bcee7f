"""Puts into AtomicPusher's cache key whether its model is served."""

import uuid
from typing import Any

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto import pusher_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import Artifact, BaseChannel, artifact_utils, standard_component_specs
from tfx.utils import path_utils, proto_utils

from components.atomic_pusher.store import pushed_models
from components.served_model.versions import fingerprint

OCCASION, SERVED = "occasion", "served"


def push_path_of(exec_properties: dict[str, Any]) -> str:
    """Returns the folder of the pushed versions."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return destination.filesystem.base_directory


def occasion(input_dict: dict[str, list[Artifact]], exec_properties: dict[str, Any]) -> str:
    """Returns "served" if the model is what is served already, else a value that never comes again."""
    models = pushed_models(push_path_of(exec_properties))
    saved_model = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
    served = bool(models) and models[0].fingerprint == fingerprint(saved_model)
    return SERVED if served else uuid.uuid4().hex


class Driver(BaseDriver, portable_base_driver.BaseDriver):
    """Takes a push from the cache only while its model is served: it may have been rolled back or deleted since.

    As in ServedModel, TFX asks for both kinds of drivers.
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
        """Resolves the inputs and adds the occasion to `exec_properties`."""
        artifacts = super().resolve_input_artifacts(input_dict, exec_properties, driver_args, pipeline_info)
        exec_properties[OCCASION] = occasion(artifacts, exec_properties)
        return artifacts

    def run(self, execution_info: portable_data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the occasion as a further parameter."""
        output = driver_output_pb2.DriverOutput()
        value = occasion(execution_info.input_dict, execution_info.exec_properties)
        data_types_utils.set_metadata_value(output.exec_properties[OCCASION], value)
        return output
