"""Puts the served model into DataGate's cache key."""

from components.common.cache_key_driver import CacheKeyDriver
from components.common.executor_types import Artifacts, Parameters
from components.served_model.versions import served_path

SERVED = "served_path"


class Driver(CacheKeyDriver):
    """Judges again when another model is served."""

    def parameters(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        """Returns where the served model lies."""
        return {SERVED: served_path(exec_properties["push_path"])}
