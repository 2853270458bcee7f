"""Puts a fingerprint of the image folder into ImageExampleGen's cache key."""

from collections.abc import Mapping
from typing import Any

from components.common.cache_key_driver import Artifacts, CacheKeyDriver
from components.common.errors import DataError
from components.image_example_gen.sources.source import source_of

FINGERPRINT = "input_fingerprint"


class Driver(CacheKeyDriver):
    """Reruns the ingest when a file was added, removed or written, and only then."""

    def parameters(self, inputs: Artifacts, exec_properties: Mapping[str, Any]) -> dict[str, str]:
        """Returns the fingerprint; "" where the folder cannot be read, which the executor will tell a moment later."""
        try:
            return {FINGERPRINT: source_of(exec_properties).fingerprint()}
        except DataError:
            return {FINGERPRINT: ""}
