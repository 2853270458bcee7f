"""The served model is in DataGate's cache key: it judges again when another one is served."""

from collections.abc import Mapping

from components.common.executor_types import Parameters
from components.served_model.versions import served_path

SERVED = "served_path"


def find(uris: Mapping[str, str], exec_properties: Parameters) -> dict[str, str]:
    """Returns where the served model lies."""
    return {SERVED: served_path(exec_properties["push_path"])}
