"""Puts a fingerprint of the image folder into ImageExampleGen's cache key."""

from components.common.cache_key_driver import CacheKeyDriver
from components.common.errors import DataError
from components.common.executor_types import Artifacts, Parameters
from components.image_example_gen.sources.source import source_of

FINGERPRINT = "input_fingerprint"


class Driver(CacheKeyDriver):
    """Reruns the ingest when a file was added, removed or written, and only then."""

    def parameters(self, inputs: Artifacts, exec_properties: Parameters) -> dict[str, str]:
        """Returns the fingerprint; "" where the folder cannot be read, which the executor will tell a moment later."""
        try:
            return {FINGERPRINT: source_of(exec_properties).fingerprint()}
        except DataError:
            return {FINGERPRINT: ""}
