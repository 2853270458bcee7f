"""TFX's local runner, which reports which step begins, and how it ended."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.common.events import StepEnded, StepStarted, emit

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline, RunOptions


@contextlib.contextmanager
def _reported_steps() -> Iterator[None]:
    """Within it, LocalDagRunner reports each step that it runs.

    TFX has no hook for that, only log lines whose wording may change. Its runner launches each node by a `Launcher`,
    found under that name in the launcher's module; this puts a subclass there. It can go when LocalDagRunner takes a
    launcher of its caller's.
    """
    from tfx.orchestration.portable import launcher
    from tfx.orchestration.portable.launcher import Launcher

    class ReportingLauncher(Launcher):
        def __init__(self, pipeline_node: Any, *arguments: Any, **named: Any) -> None:
            super().__init__(pipeline_node, *arguments, **named)
            self._step = pipeline_node.node_info.id
            self._is_cached = False

        def launch(self) -> Any:
            emit(StepStarted(self._step))
            launched = super().launch()
            emit(StepEnded(self._step, self._is_cached))
            return launched

        def _prepare_execution(self) -> Any:
            prepared = super()._prepare_execution()
            self._is_cached = not prepared.is_execution_needed
            return prepared

    setattr(launcher, "Launcher", ReportingLauncher)  # noqa: B010 - a class, which mypy lets nobody assign
    try:
        yield
    finally:
        setattr(launcher, "Launcher", Launcher)  # noqa: B010


def run_steps(pipeline: "Pipeline", options: "RunOptions | None" = None) -> None:
    """Runs a pipeline's steps in this process, one after the other; raises what a failing step raises."""
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    with _reported_steps():
        LocalDagRunner().run(pipeline, options)
