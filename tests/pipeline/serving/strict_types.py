"""Holds a manifest against the published types of an API: each key has to be a field, of the right kind."""

import re
from types import ModuleType
from typing import Any


def check(value: Any, kind: str, models: ModuleType, where: str = "") -> None:
    """Fails at the first key that `kind`, a class of `models`, does not have, or that lacks.

    Args:
        value: of a manifest.
        kind: as the generated clients write types, such as V1Pod, list[V1Container] or dict(str, str).
        models: of the generated client.
        where: of the value, to be named.
    """
    if inner := re.fullmatch(r"[lL]ist\[(.+)\]", kind):
        assert isinstance(value, list), f"{where} is no list"
        for number, one in enumerate(value):
            check(one, inner[1], models, f"{where}[{number}]")
    elif inner := re.fullmatch(r"[dD]ict[(\[]\w+, (.+)[)\]]", kind):
        assert isinstance(value, dict), f"{where} is no mapping"
        for key, one in value.items():
            check(one, inner[1], models, f"{where}.{key}")
    elif model := getattr(models, kind, None):
        fields = {name: model.openapi_types[field] for field, name in model.attribute_map.items()}
        assert isinstance(value, dict), f"{where} is no mapping"
        for key, one in value.items():
            assert key in fields, f"{where}.{key} is no field of {kind}"
            check(one, fields[key], models, f"{where}.{key}")
        model(
            **{field: value[name] for field, name in model.attribute_map.items() if name in value}
        )  # what it requires
    elif kind != "object":
        assert isinstance(value, {"str": str, "int": int, "bool": bool, "float": float}[kind]), f"{where} is no {kind}"
