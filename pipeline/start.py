"""How the `effnet` command starts, before the rest of this project is imported: standard library only."""

import os
import sys
import warnings


def forget_warning_options() -> None:
    """Keeps PYTHONWARNINGS and -W out of this process and its children.

    They are for developers of a package. With `error`, a library's deprecation warning would end a training.
    """
    os.environ.pop("PYTHONWARNINGS", None)
    sys.warnoptions.clear()
    warnings.simplefilter("ignore")


def keep_docstrings() -> None:
    """Restarts this process if PYTHONOPTIMIZE=2 removed docstrings, which TFX needs to build its classes."""
    if sys.flags.optimize < 2:
        return
    if os.environ.pop("PYTHONOPTIMIZE", None):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    sys.exit("error: python -OO removes docstrings, which TFX needs; start effnet without it")


def main() -> None:
    """Entry point of `effnet`."""
    keep_docstrings()
    forget_warning_options()
    from pipeline.cli import main as effnet

    effnet()
