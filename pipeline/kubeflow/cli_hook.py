"""Mends the stock `tfx` command line in this environment; `tfx_efficientnet.pth` imports it at every start of Python.

TFX's own handler for `--engine kubeflow` imports modules that TFX 1.16 removed (tensorflow/tfx#6922), and there is no
entry point to name another. This finder puts ours in its place, and does nothing until that module is asked for. It can
go when TFX ships a handler that works with KFP 2.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

COMMAND_LINE = "tfx.tools.cli"
BROKEN = f"{COMMAND_LINE}.handler.kubeflow_handler"
OURS = Path(__file__).with_name("handler.py")


class HandlerFinder(importlib.abc.MetaPathFinder):
    """Finds our handler under the name of TFX's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The place of our handler; None for every other module."""
        if fullname == COMMAND_LINE:
            # TFX calls `pip freeze`, and means this environment's pip, which need not be activated.
            os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return importlib.util.spec_from_file_location(fullname, OURS) if fullname == BROKEN else None


if not any(isinstance(finder, HandlerFinder) for finder in sys.meta_path):
    sys.meta_path.insert(0, HandlerFinder())
