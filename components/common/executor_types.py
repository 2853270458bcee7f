"""TFX's side of an executor and a driver, typed once: its artifacts are untyped, and its parameters are of any type."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tfx.types import Artifact

Artifacts: TypeAlias = dict[str, list["Artifact"]]
"""Inputs or outputs by their names in the component's specification."""

ExecProperties: TypeAlias = dict[str, Any]
"""Parameters by their names in the component's specification: text, numbers, and what the specification says."""

Parameters: TypeAlias = Mapping[str, Any]
"""The same, to read."""
