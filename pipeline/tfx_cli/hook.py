"""Mends the stock `tfx` command line in this environment; `tfx_efficientnet.pth` imports it at every start of Python.

TFX's own handler for `--engine kubeflow` imports modules that TFX 1.16 removed (tensorflow/tfx#6922), that for Airflow
asks for Airflow among this environment's packages, and there is no entry point to name others. This finder puts ours in
their places, and does nothing until one of those modules is asked for. It can go when TFX ships handlers that work with
KFP 2 and with an Airflow elsewhere.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

COMMAND_LINE = "tfx.tools.cli"
FACTORY = f"{COMMAND_LINE}.handler.handler_factory"
HERE = Path(__file__)
OURS = {
    f"{COMMAND_LINE}.handler.kubeflow_handler": HERE.with_name("kubeflow_handler.py"),
    f"{COMMAND_LINE}.handler.airflow_handler": HERE.with_name("airflow_handler.py"),
}


class FactoryLoader(importlib.abc.Loader):
    """Loads TFX's factory of handlers, and lets it make the one for Airflow without looking for Airflow here."""

    def __init__(self, stock: importlib.abc.Loader):
        self._stock = stock

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs TFX's code, and puts a function before its own."""
        self._stock.exec_module(module)
        stock: Callable[[dict[str, object]], object] = module.create_handler

        def create_handler(flags: dict[str, object]) -> object:
            if flags["engine"] != "airflow":
                return stock(flags)
            from tfx.tools.cli.handler.airflow_handler import AirflowHandler

            return AirflowHandler(flags)

        module.create_handler = create_handler  # type: ignore[attr-defined]


class HandlerFinder(importlib.abc.MetaPathFinder):
    """Finds our handlers under the names of TFX's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The place of our handler; None for every other module."""
        if fullname == COMMAND_LINE:
            # TFX calls `pip freeze`, and means this environment's pip, which need not be activated.
            os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        if fullname == FACTORY:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec and spec.loader:
                spec.loader = FactoryLoader(spec.loader)
            return spec
        return importlib.util.spec_from_file_location(fullname, OURS[fullname]) if fullname in OURS else None


if not any(isinstance(finder, HandlerFinder) for finder in sys.meta_path):
    sys.meta_path.insert(0, HandlerFinder())
