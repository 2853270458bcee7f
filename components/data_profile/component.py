"""DataProfile as a TFX component."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.data_profile.executor import Executor


class DataProfileSpec(TypedSpec):
    """What goes in and out of DataProfile."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {}
    INPUTS: Mapping[str, ChannelParameter] = {
        "report": ChannelParameter(type=artifacts.IngestReport),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {}


class DataProfile(BaseComponent):
    """Writes what the images were like into the model that was pushed, if one was, for the next run's DataGate."""

    SPEC_CLASS = DataProfileSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self, report: BaseChannel[artifacts.IngestReport], pushed_model: BaseChannel[standard_artifacts.PushedModel]
    ):
        """Describes the step.

        Args:
            report: ImageExampleGen's `report`.
            pushed_model: Pusher's `pushed_model`.
        """
        super().__init__(spec=DataProfileSpec(report=report, pushed_model=pushed_model))
