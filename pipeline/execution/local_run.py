"""Runs a pipeline on this machine by TFX's local runner; a step counts as done once its outputs are on the disk.

TFX has no hook for these checks, nor for reporting which step runs, so its launcher and its lookup in the cache are
replaced during a run. Both are the same in TFX 1.16 and 1.21.
"""

import contextlib
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any

from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline, RunOptions
from tfx.orchestration.portable import cache_utils, launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Artifact, artifact_utils

from components.common.events import StepEnded, StepStarted, emit, report_progress, report_warning
from pipeline.history.contents import find_damage, seal

Artifacts = Mapping[str, Sequence[Artifact]]


def new_run_id() -> str:
    """A name for a run. The time in it is for readers; the rest distinguishes two runs of one moment."""
    return f"{datetime.now().isoformat(timespec='seconds')}-{secrets.token_hex(4)}"


def run_locally(pipeline: Pipeline, run_id: str, options: RunOptions | None = None) -> None:
    """Runs every step that is not in the cache undamaged; raises what a failing step raises.

    Args:
      pipeline: to run.
      run_id: a new one, by which `pipeline.history.metadata` finds the run.
      options: which steps to run; None: all.
    """
    with _steps_checked():
        _Runner(run_id).run(pipeline, options)


class _Runner(LocalDagRunner):
    """Names runs by `run_id`: TFX's own runner names them by the clock, which may be set back."""

    def __init__(self, run_id: str):
        super().__init__()  # type: ignore[no-untyped-call]  # TFX has no types here
        self._run_id = run_id

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs the compiled pipeline."""
        name = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, name)
        super().run_with_ir(pipeline, run_options)


class _Launcher(launcher.Launcher):
    """Reports a step's start and end, and publishes its success only once its outputs survive a power cut."""

    def __init__(self, pipeline_node: pipeline_pb2.PipelineNode, *arguments: Any, **named: Any) -> None:
        super().__init__(pipeline_node, *arguments, **named)
        self._step = pipeline_node.node_info.id
        self._is_cached = False

    def launch(self) -> Any:
        """Runs the step, or takes its outputs from the cache."""
        emit(StepStarted(self._step))
        launched = super().launch()
        emit(StepEnded(self._step, self._is_cached))
        return launched

    def _prepare_execution(self) -> Any:
        prepared = super()._prepare_execution()
        self._is_cached = not prepared.is_execution_needed
        return prepared

    def _publish_successful_execution(
        self, execution_id: int, contexts: list[Any], output_dict: Artifacts, executor_output: Any
    ) -> None:
        report_progress("waiting until the outputs are on the disk")
        try:
            for artifact in itertools.chain.from_iterable(output_dict.values()):
                seal(artifact.uri)
        except OSError:
            self._publish_failed_execution(execution_id, contexts)
            raise
        super()._publish_successful_execution(execution_id, contexts, output_dict, executor_output)


@contextlib.contextmanager
def _steps_checked() -> Iterator[None]:
    damaged: dict[str, None] = {}  # in order, each once: runs that took an artifact from the cache share it
    usual_look, usual_check = cache_utils.get_cached_outputs, artifact_utils.verify_artifacts

    def check(artifacts: dict[str, list[Artifact]]) -> None:
        """Raises RuntimeError, which TFX counts as a cache miss, if an artifact has changed since it was written."""
        usual_check(artifacts)
        for artifact in itertools.chain.from_iterable(artifacts.values()):
            damage = find_damage(artifact.uri)
            if damage:
                damaged[f"{artifact.uri}: {damage}"] = None
            if damage is None or damage:
                raise RuntimeError(f"{artifact.uri}: {damage or 'there is no note of its content'}")

    def look(metadata_handle: metadata.Metadata, cache_context: Any) -> Artifacts | None:
        """Reports damaged outputs that are made again, unless an undamaged one is in the cache as well."""
        damaged.clear()
        found: Artifacts | None = usual_look(metadata_handle=metadata_handle, cache_context=cache_context)
        if found is None:
            for line in damaged:
                report_warning(f"damaged, is made again: {line}")
        return found

    with contextlib.ExitStack() as stack:
        stack.enter_context(_in_place_of(launcher, "Launcher", _Launcher))
        stack.enter_context(_in_place_of(cache_utils, "get_cached_outputs", look))
        stack.enter_context(_in_place_of(artifact_utils, "verify_artifacts", check))
        yield


@contextlib.contextmanager
def _in_place_of(module: ModuleType, name: str, value: object) -> Iterator[None]:
    usual = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, usual)
