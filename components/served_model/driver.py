"""Puts the served version into ServedModel's cache key."""

from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.common.cache_key_driver import CacheKeyDriver
from components.common.executor_types import Artifacts, Parameters
from components.served_model.versions import ServedVersion, find_baseline

VERSION, FINGERPRINT = "served_version", "served_fingerprint"


def resolve(push_path: str, inputs: Artifacts) -> ServedVersion:
    """Returns the baseline of the artifact `candidate`."""
    candidate = artifact_utils.get_single_uri(inputs["candidate"])
    return find_baseline(push_path, path_utils.serving_model_path(candidate))


class Driver(CacheKeyDriver):
    """Evaluates again when another model was pushed, and only then."""

    def parameters(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        """Returns the served version and its fingerprint."""
        served = resolve(exec_properties["push_path"], inputs)
        return {VERSION: served.version, FINGERPRINT: served.fingerprint}
