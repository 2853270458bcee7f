"""Mends the stock `tfx` command line; installed as `tfx_efficientnet_hook`, which a .pth imports when Python starts.

TFX's own handler for `--engine kubeflow` imports modules that TFX 1.16 removed (tensorflow/tfx#6922), that for Airflow
asks for Airflow among this environment's packages, and there is no entry point to name others. This finder puts ours in
their places. Until one of those modules is imported it does nothing and loads nothing, this project's packages least of
all: programs of the same environment may have a `pipeline` of their own. It can go when TFX ships handlers that work
with KFP 2 and with an Airflow elsewhere.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is not imported: this runs at every start of Python
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

COMMAND_LINE = "tfx.tools.cli"
FACTORY = f"{COMMAND_LINE}.handler.handler_factory"
OURS = {
    f"{COMMAND_LINE}.handler.kubeflow_handler": "kubeflow_handler.py",
    f"{COMMAND_LINE}.handler.airflow_handler": "airflow_handler.py",
}


class FactoryLoader:
    """Loads TFX's factory of handlers, and lets it make the one for Airflow without looking for Airflow here."""

    def __init__(self, stock: Loader) -> None:
        self._stock = stock

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The usual module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs TFX's code, and puts a function before its own."""
        self._stock.exec_module(module)
        stock = module.create_handler

        def create_handler(flags: dict[str, Any]) -> Any:
            if flags["engine"] != "airflow":
                return stock(flags)
            from tfx.tools.cli.handler.airflow_handler import AirflowHandler

            return AirflowHandler(flags)

        module.create_handler = create_handler  # type: ignore[attr-defined]


class HandlerFinder:
    """Finds our handlers under the names of TFX's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The place of our handler; None for every other module.

        Raises:
            ImportError: a package of a user's own hides ours; the message names its file.
        """
        if not fullname.startswith(COMMAND_LINE):
            return None
        import importlib.machinery
        import importlib.util
        import os

        if fullname == COMMAND_LINE:
            # TFX calls `pip freeze`, and means this environment's pip, which need not be activated.
            os.environ["PATH"] = os.pathsep.join(
                [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]  # noqa: PTH120
            )
        if fullname == FACTORY:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec and spec.loader:
                spec.loader = FactoryLoader(spec.loader)  # type: ignore[assignment]
            return spec
        if fullname not in OURS:
            return None
        from pipeline import tfx_cli  # says it where another package hides one of ours

        return importlib.util.spec_from_file_location(fullname, os.path.join(tfx_cli.__path__[0], OURS[fullname]))  # noqa: PTH118


# By name: this module may be here twice, as itself and, in a checkout, as one of pipeline.tfx_cli.
if not any(type(finder).__name__ == HandlerFinder.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, HandlerFinder())
