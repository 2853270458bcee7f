"""What a step's cache key holds besides its inputs and settings, such as what is served now; found without TFX.

A step that needs it has a function of the type `Find`. On one machine and on Airflow its TFX driver calls that function
(`cache_key_driver`); on Kubeflow a task of its own does, which so starts in a fraction of the time.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import TypeAlias

from components.common.errors import GateError
from components.common.executor_types import Parameters

UNKNOWN = "unknown"  # a parameter that never has the same value twice, so that nothing comes from the cache

Find: TypeAlias = Callable[[Mapping[str, str], Parameters], dict[str, str]]
"""From the URIs of the inputs and the parameters, each by its name in the specification, to further parameters."""


def found_by(find: Find, uris: Mapping[str, str], exec_properties: Parameters) -> dict[str, str]:
    """What `find` finds; where it cannot tell, the step runs and its executor meets the error."""
    try:
        return find(uris, exec_properties)
    except (GateError, OSError):
        return {UNKNOWN: uuid.uuid4().hex}
