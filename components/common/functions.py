"""Functions that steps are given by name, since only text crosses from one process to another."""

import importlib
from collections.abc import Callable
from typing import Any


def load_function(name: str) -> Callable[..., Any]:
    """Returns a function, or whatever else can be called.

    Args:
        name: dotted, such as trainer.preprocessing.preprocessing_fn.

    Raises:
        ImportError: if there is no such module.
        AttributeError: if the module has nothing of that name.
    """
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
