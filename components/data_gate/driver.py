"""Puts the served model into DataGate's cache key."""

from collections.abc import Mapping
from typing import Any

from components.common.cache_key_driver import Artifacts, CacheKeyDriver
from components.served_model.versions import served_path

SERVED = "served_path"


class Driver(CacheKeyDriver):
    """Judges again when another model is served."""

    def parameters(self, inputs: Artifacts, exec_properties: Mapping[str, Any]) -> dict[str, str]:
        """Returns where the served model lies."""
        return {SERVED: served_path(exec_properties["push_path"])}
