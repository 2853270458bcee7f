"""Mends the stock `tfx` command line; installed as `tfx_efficientnet_hook`, which a .pth imports when Python starts.

TFX's own handler for `--engine kubeflow` imports modules that TFX 1.16 removed (tensorflow/tfx#6922), the one for
Airflow wants Airflow in this environment, and there is no entry point to name others. This finder puts ours in their
place. Until one of those modules is imported it does nothing and loads nothing, least of all this project's packages:
programs in the same environment may have a `pipeline` of their own. It can go when TFX ships handlers that work with
KFP 2 and with an Airflow in another environment.
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
HANDLER_FACTORY = f"{COMMAND_LINE}.handler.handler_factory"
HANDLER_FILES = {
    f"{COMMAND_LINE}.handler.kubeflow_handler": "kubeflow_handler.py",
    f"{COMMAND_LINE}.handler.airflow_handler": "airflow_handler.py",
}


class FactoryLoader:
    """Loads TFX's handler factory, and makes it create the handler for Airflow without Airflow in this environment."""

    def __init__(self, tfx_loader: Loader) -> None:
        self._tfx_loader = tfx_loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """None: Python makes the module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Runs TFX's code, and puts a function in front of its own."""
        self._tfx_loader.exec_module(module)
        create_by_tfx = module.create_handler

        def create_handler(flags: dict[str, Any]) -> Any:
            if flags["engine"] != "airflow":
                return create_by_tfx(flags)
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
            # TFX calls `pip freeze`; this environment's pip must come first even if the environment is not activated.
            os.environ["PATH"] = os.pathsep.join(
                [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]  # noqa: PTH120
            )
        if fullname == HANDLER_FACTORY:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec and spec.loader:
                spec.loader = FactoryLoader(spec.loader)  # type: ignore[assignment]
            return spec
        if fullname not in HANDLER_FILES:
            return None
        from pipeline import tfx_cli  # raises an error if another package hides one of ours

        file = os.path.join(tfx_cli.__path__[0], HANDLER_FILES[fullname])  # noqa: PTH118
        return importlib.util.spec_from_file_location(fullname, file)


# By name: this module may be loaded twice, by itself and, in a checkout, as one of pipeline.tfx_cli.
if not any(type(finder).__name__ == HandlerFinder.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, HandlerFinder())
