"""ImageExampleGen's cache key holds a fingerprint of the images: a file added, removed or written makes it rerun."""

from collections.abc import Mapping

from components.common.errors import DataError
from components.common.executor_types import Parameters
from components.image_example_gen.sources.source import source_of

FINGERPRINT = "input_fingerprint"


def find(uris: Mapping[str, str], exec_properties: Parameters) -> dict[str, str]:
    """Returns the fingerprint; "" where the folder cannot be read, which the executor will tell a moment later."""
    try:
        return {FINGERPRINT: source_of(exec_properties).fingerprint()}
    except DataError:
        return {FINGERPRINT: ""}
