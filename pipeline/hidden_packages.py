"""Finds packages that hide ours. Standard library only: every process imports this first.

The names `pipeline`, `components`, `trainer` and `data` are common. If another package of such a name comes first on
Python's path, for example through PYTHONPATH, it would be imported instead of ours.
"""

import importlib.util
import os
import sys

# Package -> a file of ours in it.
PACKAGES = {"components": "common/errors.py", "trainer": "scaling.py", "data": "quickstart.py"}


def check_packages() -> None:
    """Does nothing if Python finds our other packages.

    Raises:
      ImportError: it finds another one; the message has its file, and what to do.
    """
    for name, file in PACKAGES.items():
        module = sys.modules.get(name)
        spec = module.__spec__ if module else importlib.util.find_spec(name)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        if any(os.path.isfile(os.path.join(folder, file)) for folder in folders):  # noqa: PTH118, PTH113
            continue
        found = (spec.origin if spec else None) or next(iter(folders), "")
        what = (
            f"{found} hides this project's package `{name}`; "
            "rename it, or take its folder out of PYTHONPATH and sys.path"
            if found
            else f"the package `{name}` of tfx-efficientnet is not installed; install it again"
        )
        raise ImportError(what, name=name)
