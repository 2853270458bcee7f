"""The code of each step in its cache key: of its executor, its driver, and the functions that it is given by name."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from components.common.code_key import ROOMS, code_key, is_code

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_node import BaseNode

CODE_KEY = "code_key"  # the parameter that holds it, of every step
DOTTED_NAME = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+")


def add_code_keys(steps: "Iterable[BaseNode]") -> None:
    """Gives each step its key as one more parameter, so that TFX includes it in the cache key."""
    for step in steps:
        step.exec_properties[CODE_KEY] = code_key(*roots_of(step))


def roots_of(step: "BaseNode") -> list[str]:
    """The roots of a step's code: modules, and functions that its parameters name, such as a `run_fn`."""
    from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

    classes: list[type] = [step.driver_class]
    if isinstance(step.executor_spec, ExecutorClassSpec):  # else it is a container, which its parameters name
        classes.append(step.executor_spec.executor_class)
    named = {name for name in _texts(list(step.exec_properties.values())) if DOTTED_NAME.fullmatch(name)}
    return sorted({found.__module__ for found in classes} | {name for name in named if is_code(name)})


def _texts(value: object) -> Iterator[str]:
    """All texts in a parameter, also in one that is JSON."""
    if isinstance(value, str):
        yield value
        if value.startswith(("{", "[")):
            try:
                yield from _texts(json.loads(value))
            except ValueError:
                return  # another notation
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
