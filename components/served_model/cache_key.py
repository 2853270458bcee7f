"""The served version is in ServedModel's cache key: a candidate is judged again when another model was pushed."""

from collections.abc import Mapping

from components.common import files
from components.common.executor_types import Parameters
from components.served_model.versions import ServedVersion, find_baseline

VERSION, FINGERPRINT = "served_version", "served_fingerprint"
SAVED_MODEL_FOLDER = "Format-Serving"  # where TFX has it in a model's artifact


def resolve(push_path: str, candidate: str) -> ServedVersion:
    """Returns the baseline of the model artifact at `candidate`."""
    return find_baseline(push_path, files.join(candidate, SAVED_MODEL_FOLDER))


def find(uris: Mapping[str, str], exec_properties: Parameters) -> dict[str, str]:
    """Returns the served version and its fingerprint."""
    served = resolve(exec_properties["push_path"], uris["candidate"])
    return {VERSION: served.version, FINGERPRINT: served.fingerprint}
