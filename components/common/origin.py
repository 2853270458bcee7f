"""An artifact's lasting address, to be written down."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx.types import Artifact

# On Kubeflow a step works on a copy in its container, which is gone when the step ends.
ORIGIN = "origin_uri"


def lasting_uri(artifact: "Artifact") -> str:
    """The artifact's address, also where a step was given a copy of it."""
    return str(artifact.get_string_custom_property(ORIGIN) or artifact.uri)
