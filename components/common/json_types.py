"""JSON values, typed once."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""A JSON value."""

JsonObject: TypeAlias = dict[str, "Json"]

Parsed: TypeAlias = Any
"""What `json.loads`, `yaml.safe_load`, SQLite or a command line has given and nobody has checked yet."""
