"""Puts into AtomicPusher's cache key whether its model is served."""

import uuid

from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import path_utils, proto_utils

from components.common.cache_key_driver import CacheKeyDriver
from components.common.executor_types import Artifacts, Parameters
from components.served_model.versions import fingerprint, pushed_models

OCCASION, SERVED = "occasion", "served"


def push_path_of(exec_properties: Parameters) -> str:
    """Returns the folder of the pushed versions."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return str(destination.filesystem.base_directory)


class Driver(CacheKeyDriver):
    """Takes a push from the cache only while its model is served: it may have been rolled back or deleted since."""

    def parameters(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        """Returns "served" if the model is what is served already, else a value that never comes again."""
        models = pushed_models(push_path_of(exec_properties))
        saved_model = path_utils.serving_model_path(artifact_utils.get_single_uri(inputs["model"]))
        served = bool(models) and models[0].fingerprint == fingerprint(saved_model)
        return {OCCASION: SERVED if served else uuid.uuid4().hex}
