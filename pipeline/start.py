"""How the `effnet` command starts, before a package of this project is imported; installed as `tfx_efficientnet_start`.

The names `pipeline`, `components`, `trainer` and `data` are common. Where another package of such a name comes first on
Python's path, by PYTHONPATH say, it would be imported in the place of ours. Standard library only.
"""

import importlib.util
import os
import sys
import warnings

# Package -> a file of ours in it.
PACKAGES = {"pipeline": "start.py", "components": "common/errors.py", "trainer": "scaling.py", "data": "quickstart.py"}


def hidden_package() -> str:
    """Says in a line which of our packages is hidden by which file, and what to do; "" if none is."""
    for name, file in PACKAGES.items():
        module = sys.modules.get(name)
        spec = module.__spec__ if module else importlib.util.find_spec(name)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        if any(os.path.isfile(os.path.join(folder, file)) for folder in folders):  # noqa: PTH118, PTH113
            continue
        if not (found := (spec.origin if spec else None) or next(iter(folders), "")):
            return f"the package `{name}` of tfx-efficientnet is not installed; install it again"
        return (
            f"{found} hides this project's package `{name}`; "
            "rename it, or take its folder out of PYTHONPATH and sys.path"
        )
    return ""


def forget_warning_options() -> None:
    """Keeps PYTHONWARNINGS and -W out of this process and its children.

    They are for those who work on a package. With `error` a library's notice of a change to come ends a training.
    """
    os.environ.pop("PYTHONWARNINGS", None)
    sys.warnoptions.clear()
    warnings.simplefilter("ignore")


def keep_docstrings() -> None:
    """Starts this process again where PYTHONOPTIMIZE=2 has taken docstrings away, of which TFX builds its classes."""
    if sys.flags.optimize < 2:
        return
    if os.environ.pop("PYTHONOPTIMIZE", None):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    sys.exit("error: python -OO takes the docstrings away, which TFX needs; start effnet without it")


def main() -> None:
    """Entry point of `effnet`."""
    keep_docstrings()
    forget_warning_options()
    if problem := hidden_package():
        sys.exit(f"error: {problem}")
    from pipeline.cli import main as effnet

    effnet()
